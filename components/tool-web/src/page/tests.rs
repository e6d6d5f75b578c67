//! Pages of several kinds, and what is left of them.

use super::*;

fn read_at(html: &str, url: &str) -> Page {
    read(html, &Url::parse(url).unwrap())
}

fn markdown_of(body: &str) -> String {
    read_at(&format!("<!doctype html><title>T</title><body>{body}"), "https://site.test/docs/page?q=1").markdown
}

fn paragraphs(count: usize) -> String {
    (0..count)
        .map(|n| {
            format!(
                "<p>Paragraph {n} tells, at some length and with a comma or two, how the fern on the window sill grew, \
                 which takes about as many words as a paragraph of an article has.</p>"
            )
        })
        .collect()
}

#[test]
fn what_authors_write_becomes_markdown() {
    let markdown = markdown_of(
        "<h1>Ferns</h1><p>A <b>fern</b> is <em>green</em>; see <a href='/all?x=1'>all</a>.</p>\
         <ul><li>one<li>two<ul><li>inner</ul></ul><ol><li>first<li>second</ol>\
         <pre><code class='language-rust'>fn main() {\n    grow(1 &lt; 2);\n}</code></pre>\
         <blockquote>said</blockquote><table><tr><th>Name<th>Size<tr><td>a<td>1</table>\
         <p>Inline <code>a_b</code> and 1.5 (so.)</p>",
    );
    for piece in [
        "# Ferns",
        "A **fern** is *green*; see [all](https://site.test/all?x=1).",
        "- one\n- two\n",
        "- inner",
        "1. first\n2. second",
        "```rust\nfn main() {\n    grow(1 < 2);\n}\n```",
        "> said",
        "| Name | Size |\n| --- | --- |\n| a | 1 |",
        "Inline `a_b` and 1.5 (so.)",
    ] {
        let squeezed = markdown.split("  ").filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        assert!(markdown.contains(piece) || squeezed.contains(piece), "{piece} is not in:\n{markdown}");
    }
}

#[test]
fn what_nobody_sees_is_left_out() {
    let markdown = markdown_of(
        "<script>alert(1)</script><style>p {}</style><noscript>enable it</noscript><template>later</template>\
         <p hidden>ignore all</p><span aria-hidden=true>icon</span><button>Buy</button><!-- comment -->\
         <p>se\u{ad}en\u{200b} te\u{e0041}xt</p>",
    );
    assert_eq!(markdown, "seen text");
}

#[test]
fn links_lead_somewhere_from_elsewhere() {
    let markdown = markdown_of(
        "<h2>Head <a href='#head'>¶</a></h2><a href='other'>rel</a> <a href='//cdn.test/x'>host</a> \
         <a href='javascript:go()'>script</a> <a href='mailto:a@b.test'>mail</a> <a title=t href='#part'>part</a> \
         <pre>let <a href='/type'>Type</a></pre> <a href='?q=1&p=2' title='again'>next</a> \
         <img src='pic.png' alt='pic'> <img src='data:image/png;base64,AAAA' alt='inside'> <img data-src='/lazy.png'>",
    );
    for piece in [
        "## Head",
        "[rel](https://site.test/docs/other)",
        "[host](https://cdn.test/x)",
        "[mail](mailto:a@b.test)",
        "```\nlet Type\n```",
        "[next](https://site.test/docs/page?q=1&p=2)",
        "![pic](https://site.test/docs/pic.png)",
        "![](https://site.test/lazy.png)",
    ] {
        assert!(markdown.contains(piece), "{piece} is not in:\n{markdown}");
    }
    for gone in ["¶", "javascript", "base64", "inside"] {
        assert!(!markdown.contains(gone), "{gone} is in:\n{markdown}");
    }
    // Of links that lead nowhere else their text stays.
    assert!(markdown.contains(" script [mail]") && markdown.contains(") part\n"), "{markdown}");
    let based = read_at("<base href='/deep/'><a href='x'>x</a>", "https://site.test/a/b");
    assert_eq!(based.markdown, "[x](https://site.test/deep/x)");
}

#[test]
fn the_main_part_is_taken_where_a_page_has_one() {
    let html = format!(
        "<title> A \n page </title><nav><a href=/>Home</a></nav><main><ul><li><a hreflang=de href=/de>Deutsch</a></ul><h1>Here</h1>{}<aside>Ad</aside></main><footer>© us",
        paragraphs(3)
    );
    let page = read_at(&html, "https://site.test/");
    assert_eq!((page.title.as_str(), page.part), ("A page", Part::Main));
    assert!(page.markdown.starts_with("# Here\n\nParagraph 0"), "{}", page.markdown);
    for gone in ["Home", "Ad", "© us", "Deutsch"] {
        assert!(!page.markdown.contains(gone), "{gone}: {}", page.markdown);
    }
    // One that is filled in by scripts is none.
    let empty = read_at("<main></main><p>all there is</p>", "https://site.test/");
    assert_eq!((empty.markdown.as_str(), empty.part), ("all there is", Part::Page));
}

#[test]
fn an_article_is_found_without_a_main_part() {
    let links: String = (0..20).map(|n| format!("<li><a href='/{n}'>Teaser {n}</a>")).collect();
    let html = format!(
        "<title>T</title><body><div class=sidebar><ul>{links}</ul></div><div class=content>{}</div>\
         <div class=comments><p>First!</p></div>",
        paragraphs(8)
    );
    let page = read_at(&html, "https://site.test/");
    assert_eq!(page.part, Part::Article);
    assert!(page.markdown.contains("Paragraph 7") && !page.markdown.contains("Teaser"), "{}", page.markdown);
}

#[test]
fn a_page_of_links_stays_whole() {
    let rows: String =
        (0..50).map(|n| format!("<tr><td><a href='/crate/{n}'>crate-{n}</a><td>what it does</tr>")).collect();
    let page = read_at(&format!("<table>{rows}</table>{}", paragraphs(1)), "https://site.test/");
    assert!(page.markdown.contains("crate-0") && page.markdown.contains("crate-49"), "{}", page.markdown);
}

#[test]
fn tables_keep_all_their_cells() {
    let table = |rows: &str| markdown_of(&format!("<p>before</p><table>{rows}</table><p>after</p>"));
    let infobox = "<caption>Facts</caption><tr><th colspan=2>Fern<tr><th>Born<td>long<br>ago<tr><th>Size<td>1 | 2";
    assert_eq!(
        table(infobox),
        "before\n\nFacts\n\n| Fern |\n| --- |\n| Born | long ago |\n| Size | 1 \\| 2 |\n\nafter"
    );
    let grid = "<thead><tr><td>a</td>  <td>b</td></tr></thead>\n<tbody>\n<tr><td>c</td><td></td></tr></tbody>";
    assert_eq!(table(grid), "before\n\n| a | b |\n| --- | --- |\n| c | |\n\nafter");
    let plain = "<tr><td>a<td><b>b</b><tr><td>c<td><a href=/d>d</a>";
    assert_eq!(table(plain), "before\n\n| a | **b** |\n| --- | --- |\n| c | [d](https://site.test/d) |\n\nafter");
    // What only places things is no table.
    let layout = "<tr><td><h2>Head</h2><p>text</p><table><tr><td>inner<td>grid<tr><td>1<td>2</table>";
    let laid_out = table(layout);
    for piece in ["## Head", "text", "inner", "grid"] {
        assert!(laid_out.contains(piece), "{laid_out}");
    }
    let nested = table("<tr><th>a<th>b<tr><td>1<td><table><tr><th>x<td>y</table>");
    assert!(nested.contains("| a | b |\n| --- | --- |\n| 1 | x y |"), "{nested}");
    // One wide cell does not widen all others.
    let wide = format!("<tr><th>a<th>b{}<tr><td>{}<td>2", "<tr><td>1<td>2".repeat(1_000), "x".repeat(10_000));
    assert!(table(&wide).len() < 25_000);
}

#[test]
fn a_page_that_is_nothing_but_its_surroundings_is_shown() {
    let page = read_at("<nav><a href='/a'>A</a></nav>", "https://site.test/");
    assert_eq!(page.markdown, "[A](https://site.test/a)");
    assert_eq!(read_at("", "https://site.test/").markdown, "");
    assert_eq!(read_at("<script>app()</script><div id=root></div>", "https://site.test/").markdown, "");
}

#[test]
fn where_a_page_sends_on_to_is_found() {
    let leads = |content: &str| {
        let html = format!("<meta http-equiv=Refresh content=\"{content}\"><p>moved");
        read_at(&html, "https://site.test/a").leads_to
    };
    assert_eq!(leads("0; url=/b").as_deref(), Some("https://site.test/b"));
    assert_eq!(leads("5;URL='https://other.test/'").as_deref(), Some("https://other.test/"));
    for none in ["30", "0; url=/a", "0; url=javascript:x", ""] {
        assert_eq!(leads(none), None, "{none}");
    }
}

#[test]
fn a_page_of_any_depth_is_read() {
    for count in [DEPTH_MAX - 5, DEPTH_MAX + 5, 5_000] {
        let html =
            format!("<p>before</p>{}deep <b>text</b>{}<p>after</p>", "<div>".repeat(count), "</div>".repeat(count));
        // The stack of a component, natively with larger frames.
        let read = move || read_at(&html, "https://site.test/").markdown;
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(read).unwrap();
        let markdown = thread.join().unwrap();
        for piece in ["before", "deep", "text", "after"] {
            assert!(markdown.contains(piece), "{count}: {piece} is not in {markdown:?}");
        }
    }
}

#[test]
fn lists_and_quotes_of_any_depth_are_read() {
    for (open, close) in [
        ("<ul><li>", "</ul>"),
        ("<blockquote>", "</blockquote>"),
        ("<b><i>", "</i></b>"),
        ("<table><tr><td>", "</table>"),
    ] {
        let html = format!("{}deep{}", open.repeat(400), close.repeat(400));
        let read = move || read_at(&html, "https://site.test/").markdown;
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(read).unwrap();
        let markdown = thread.join().unwrap();
        assert!(markdown.contains("deep"), "{open}: {markdown:?}");
        assert!(markdown.len() < 1_000_000, "{open}: {}", markdown.len());
    }
}

#[test]
fn the_first_words_stand_for_an_error_page() {
    assert_eq!(first_words("<title>404 Not\nFound</title><p>x"), "404 Not Found");
    assert_eq!(first_words("<script>x</script><h1>Gone</h1>\n<p>away"), "Gone away");
}
