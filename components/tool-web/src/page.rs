//! From a page for browsers to Markdown: the part that is worth reading, with links that lead somewhere.

mod table;

use dom_query::{Document, NodeRef};
use dom_smoothie::Readability;
use htmd::HtmlToMarkdown;
use htmd::options::{BulletListMarker, HrStyle, Options};
use url::{Position, Url};

use crate::text::line;

/// Of a page's title.
const TITLE_CHARS_MAX: usize = 300;

/// Elements inside of each other. What is deeper is taken as text: a walk to it would need a stack of that size. Pages that
/// people write stay below a quarter of it.
const DEPTH_MAX: usize = 160;

/// Elements of a page in which the article is looked for: it takes many looks at each.
const ARTICLE_ELEMENTS_MAX: usize = 30_000;

/// Characters of text from which a part of a page can be all that it is about.
const PART_CHARS_MIN: usize = 200;

/// What nobody reads.
const UNSEEN: &str = "script, style, noscript, template, iframe, object, embed, canvas, svg, link, dialog, [hidden], \
                      [aria-hidden='true'], input, select, textarea, button";

/// What surrounds a page on all pages of its site.
const AROUND: &str = "nav, footer, aside, [role='navigation'], [role='contentinfo'], [role='search'], [role='banner']";

/// Which part of a page was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What the page itself calls its main part.
    Main,
    /// What looks like an article.
    Article,
    /// All of it, without what surrounds it.
    Page,
}

impl Part {
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Article => "article",
            Self::Page => "page",
        }
    }
}

pub struct Page {
    /// May be empty.
    pub title: String,
    pub markdown: String,
    pub part: Part,
    /// Where the page sends on to, by itself.
    pub leads_to: Option<String>,
}

/// The page at `url`.
pub fn read(html: &str, url: &Url) -> Page {
    let document = Document::from(html);
    flatten(&document);
    let title = title(&document);
    let leads_to = refresh(&document, url);
    document.select(UNSEEN).remove();
    // The same page in other languages, which for some pages is longer than the page.
    document.select("li > a[hreflang]").parent().remove();
    resolve(&document, url);
    table::flatten(&document);
    let (html, part) = choose(&document, url);
    // A page as a tree is many times the page, and the next step makes another one.
    drop(document);
    Page { title, markdown: markdown(&html), part, leads_to }
}

/// Only the title, or else the first words.
pub fn first_words(html: &str) -> String {
    let document = Document::from(html);
    let title = title(&document);
    if !title.is_empty() {
        return title;
    }
    document.select(UNSEEN).remove();
    line(&document.text(), TITLE_CHARS_MAX)
}

fn title(document: &Document) -> String {
    line(&document.select_single("title").text(), TITLE_CHARS_MAX)
}

/// Makes text of what is too deep.
fn flatten(document: &Document) {
    let mut waiting = vec![(document.root(), 0)];
    while let Some((node, depth)) = waiting.pop() {
        if depth < DEPTH_MAX {
            waiting.extend(node.children_it(false).filter(NodeRef::is_element).map(|child| (child, depth + 1)));
        } else if node.first_element_child().is_some() {
            node.set_text(node.text());
        }
    }
}

/// `<meta http-equiv="refresh" content="0; url=…">`.
fn refresh(document: &Document, url: &Url) -> Option<String> {
    let metas = document.select("meta[http-equiv][content]");
    let meta = metas.nodes().iter().find(|meta| meta.attr_or("http-equiv", "").eq_ignore_ascii_case("refresh"))?;
    let content = meta.attr_or("content", "");
    let (_, rest) = content.split_once([';', ','])?;
    let (name, target) = rest.split_once('=')?;
    let target = target.trim().trim_matches(['"', '\'']);
    let leads = name.trim().eq_ignore_ascii_case("url").then(|| url.join(target).ok())??;
    (leads != *url && matches!(leads.scheme(), "http" | "https")).then(|| leads.to_string())
}

/// Links and images as they are seen from elsewhere; those that lead nowhere are taken out.
fn resolve(document: &Document, url: &Url) {
    let base = document.base_uri().and_then(|base| url.join(&base).ok()).unwrap_or_else(|| url.clone());
    let absolute = |target: &str| {
        let target = base.join(target.trim()).ok()?;
        matches!(target.scheme(), "http" | "https" | "mailto").then(|| target.to_string())
    };
    for link in document.select("a[href]").nodes() {
        // A sign beside a heading that links to the heading.
        let text = link.text();
        let is_sign = matches!(text.trim(), "" | "#" | "¶" | "§" | "ⓘ" | "🔗" | "Permalink");
        if is_sign && !link.descendants_it().any(|node| node.has_name("img")) {
            link.remove_from_parent();
            continue;
        }
        // Its title says once more where it leads.
        link.remove_attr("title");
        // What leads to another place of the same page is of no use once the page is a text.
        match absolute(&link.attr_or("href", "")).filter(|target| !is_same_page(target, url)) {
            Some(target) => link.set_attr("href", &target),
            None => link.remove_attr("href"),
        }
    }
    // Code is code, also where nothing but its layout says so.
    for link in document.select("pre a[href]").nodes() {
        link.remove_attr("href");
    }
    for block in document.select("pre").nodes() {
        if !block.descendants_it().any(|node| node.has_name("code")) {
            block.set_html(format!("<code>{}</code>", block.inner_html()));
        }
    }
    for image in document.select("img").nodes() {
        let source = ["src", "data-src"].iter().filter_map(|name| image.attr(name)).find_map(|source| {
            // An image inside of the page's text would be most of the text.
            let source = absolute(&source)?;
            source.starts_with("http").then_some(source)
        });
        match source {
            Some(source) => image.set_attr("src", &source),
            None => image.remove_from_parent(),
        }
    }
}

fn is_same_page(target: &str, url: &Url) -> bool {
    let page = &url[..Position::AfterQuery];
    target.strip_prefix(page).is_some_and(|rest| rest.starts_with('#'))
}

/// The part of the page that is worth reading, as HTML.
fn choose(document: &Document, url: &Url) -> (String, Part) {
    let mains = document.select("main, [role='main']");
    if let [main] = mains.nodes()
        && main.normalized_char_count() >= PART_CHARS_MIN
    {
        mains.select(AROUND).remove();
        return (main.html().to_string(), Part::Main);
    }
    // Looking for it takes a copy.
    let article = (elements(document) <= ARTICLE_ELEMENTS_MAX).then(|| article(document, url)).flatten();
    let body = document.body().unwrap_or_else(|| document.root());
    let all = body.html();
    document.select(AROUND).remove();
    let chars = body.normalized_char_count();
    match article {
        // One that leaves out half of the page is most likely a part of what was looked for.
        Some((html, article_chars)) if article_chars.saturating_mul(2) >= chars => (html, Part::Article),
        // Some pages are nothing but what surrounds others.
        _ if chars == 0 => (all.to_string(), Part::Page),
        _ => (body.html().to_string(), Part::Page),
    }
}

fn elements(document: &Document) -> usize {
    document.root().descendants_it().filter(NodeRef::is_element).count()
}

/// What looks like an article, and its characters.
fn article(document: &Document, url: &Url) -> Option<(String, usize)> {
    let mut readability = Readability::with_document(document.clone(), Some(url.as_str()), None).ok()?;
    let article = readability.parse().ok().filter(|article| article.length >= PART_CHARS_MIN)?;
    Some((article.content.to_string(), article.length))
}

fn markdown(html: &str) -> String {
    let options = Options {
        bullet_list_marker: BulletListMarker::Dash,
        ul_bullet_spacing: 1,
        ol_number_spacing: 1,
        hr_style: HrStyle::Dashes,
        ..Options::default()
    };
    let converter = table::handlers(HtmlToMarkdown::builder().options(options)).build();
    // It reads a string: there is nothing that could fail.
    let mut markdown = converter.convert(html).unwrap_or_default();
    markdown.retain(is_seen);
    markdown.trim().to_owned()
}

/// What people do not see, models should not read: characters without a width, and the tags that are text for machines alone.
fn is_seen(c: char) -> bool {
    !matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests;
