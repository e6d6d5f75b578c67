//! Tables: those that show something become tables of Markdown, without the padding that models pay for; those that only place
//! things become what they place.

use dom_query::{Document, NodeRef};
use htmd::element_handler::{HandlerResult, Handlers};
use htmd::{Element, HtmlToMarkdownBuilder};

/// Characters of a cell, beyond which a table without headings only places things.
const CELL_CHARS_MAX: usize = 300;

/// Makes plain blocks of tables that only place things, and of those inside of others.
pub fn flatten(document: &Document) {
    // In the order of the document, so that what is inside of a table that became blocks is inside of no cell any more.
    for table in document.select("table").nodes() {
        let parts = parts(table);
        if is_inside_cell(table) || !is_data(&parts) {
            let own = parts.iter().filter(|part| !part.has_name("table"));
            own.chain([table]).for_each(|part| part.rename("div"));
        }
    }
}

fn is_inside_cell(table: &NodeRef) -> bool {
    table.ancestors_it(None).any(|node| node.has_name("td") || node.has_name("th"))
}

/// Rows, cells and the like, in some order, and tables inside, without what belongs to those.
fn parts<'a>(table: &NodeRef<'a>) -> Vec<NodeRef<'a>> {
    let (mut waiting, mut parts) = (vec![*table], Vec::new());
    while let Some(node) = waiting.pop() {
        for child in node.children_it(false).filter(NodeRef::is_element) {
            let name = child.node_name();
            if matches!(name.as_deref(), Some("tbody" | "thead" | "tfoot" | "tr" | "td" | "th" | "caption" | "table")) {
                parts.push(child);
            }
            if name.as_deref() != Some("table") {
                waiting.push(child);
            }
        }
    }
    parts
}

/// Whether it has headings, or is a grid of short texts.
fn is_data(parts: &[NodeRef]) -> bool {
    let (mut width, mut rows) = (None, 0);
    let (mut has_heading, mut is_grid) = (false, true);
    for part in parts {
        match part.node_name().as_deref() {
            Some("table") => is_grid = false,
            Some("th" | "thead" | "caption") => has_heading = true,
            Some("tr") => {
                let cells = part.element_children().len();
                is_grid &= cells >= 2 && *width.get_or_insert(cells) == cells;
                rows += 1;
            }
            Some("td") => is_grid &= part.normalized_char_count() <= CELL_CHARS_MAX,
            _ => {}
        }
    }
    has_heading || is_grid && rows >= 2
}

/// Adds how tables, rows and cells are written.
pub fn handlers(builder: HtmlToMarkdownBuilder) -> HtmlToMarkdownBuilder {
    builder.add_handler(vec!["td", "th"], cell).add_handler(vec!["tr"], row).add_handler(vec!["table"], table)
}

fn cell(handlers: &dyn Handlers, element: Element) -> Option<HandlerResult> {
    let content = handlers.walk_children(element.node).content.replace('|', "\\|");
    let words = content.split_whitespace().collect::<Vec<_>>();
    Some(format!(" {} |", words.join(" ")).into())
}

fn row(handlers: &dyn Handlers, element: Element) -> Option<HandlerResult> {
    let cells = handlers.walk_children(element.node).content;
    let cells = cells.split_whitespace().collect::<Vec<_>>().join(" ");
    (!cells.is_empty()).then(|| format!("\n| {cells}\n").into())
}

fn table(handlers: &dyn Handlers, element: Element) -> Option<HandlerResult> {
    let content = handlers.walk_children(element.node).content;
    let mut text = String::from("\n\n");
    let mut has_row = false;
    for line in content.lines().filter(|line| !line.trim().is_empty()) {
        let is_row = line.starts_with("| ");
        if is_row && !has_row {
            // What stands above a table, and not in it, must not be taken for its first row.
            text.push_str(if text.len() > 2 { "\n" } else { "" });
        }
        text.push_str(line);
        text.push('\n');
        if is_row && !has_row {
            let bars = line.matches('|').count() - line.matches("\\|").count();
            text.push_str(&format!("|{}\n", " --- |".repeat(bars.saturating_sub(1).max(1))));
            has_row = true;
        }
    }
    Some(format!("{text}\n").into())
}
