//! Patterns as POSIX and GNU have them, made into those of the regex crates.

/// A pattern for the regex crates.
#[derive(Debug, PartialEq, Eq)]
pub struct Translated {
    pub regex: String,
    /// It refers back to a group, which only a backtracking matcher can.
    pub has_references: bool,
}

/// Makes a basic or, where `extended`, an extended regular expression into one of the regex crates.
///
/// # Errors
/// What grep says of the pattern.
pub fn translate(pattern: &str, extended: bool) -> Result<Translated, String> {
    let mut translator = Translator {
        rest: pattern.chars().collect(),
        at: 0,
        extended,
        out: String::new(),
        atom: None,
        is_repeated: false,
        open: Vec::new(),
        groups: 0,
        has_references: false,
    };
    translator.run()?;
    let mut regex = translator.out;
    if translator.has_references {
        // The matcher for those knows them in this form only.
        regex = regex.replace(WORD_START, r"(?:\b(?=\w))").replace(WORD_END, r"(?:\b(?<=\w))");
    }
    Ok(Translated { regex, has_references: translator.has_references })
}

const WORD_START: &str = r"\b{start}";
const WORD_END: &str = r"\b{end}";

struct Translator {
    rest: Vec<char>,
    at: usize,
    extended: bool,
    out: String,
    /// Where in `out` what a repetition repeats begins. None: there is nothing to repeat.
    atom: Option<usize>,
    is_repeated: bool,
    /// Where the open groups begin.
    open: Vec<usize>,
    groups: u32,
    has_references: bool,
}

impl Translator {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.next() {
            match c {
                '\\' => {
                    let Some(c) = self.next() else { return Err("Trailing backslash".to_owned()) };
                    self.escaped(c)?;
                }
                '[' => {
                    let start = self.out.len();
                    self.bracket()?;
                    self.set_atom(start);
                }
                '.' => self.piece("."),
                '*' => self.repeat("*"),
                '^' if self.extended || self.is_start() => self.anchor("^"),
                '$' if self.extended || self.is_end() => self.anchor("$"),
                '+' | '?' if self.extended => self.repeat(if c == '+' { "+" } else { "?" }),
                '{' if self.extended => self.interval()?,
                '(' if self.extended => self.open(),
                ')' if self.extended && !self.open.is_empty() => self.close()?,
                '|' if self.extended => self.either(),
                other => self.literal(other),
            }
        }
        if self.open.is_empty() { Ok(()) } else { Err("Unmatched ( or \\(".to_owned()) }
    }

    fn escaped(&mut self, c: char) -> Result<(), String> {
        match c {
            '(' if !self.extended => self.open(),
            ')' if !self.extended => self.close()?,
            '|' if !self.extended => self.either(),
            '+' | '?' if !self.extended => self.repeat(if c == '+' { "+" } else { "?" }),
            '{' if !self.extended => self.interval()?,
            '<' => self.anchor(WORD_START),
            '>' => self.anchor(WORD_END),
            'b' => self.anchor(r"\b"),
            'B' => self.anchor(r"\B"),
            '`' => self.anchor(r"\A"),
            '\'' => self.anchor(r"\z"),
            'w' | 'W' | 's' | 'S' => self.piece(&format!("\\{c}")),
            '1'..='9' => {
                if c.to_digit(10).is_none_or(|number| number > self.groups) {
                    return Err("Invalid back reference".to_owned());
                }
                self.has_references = true;
                self.piece(&format!("(?:\\{c})"));
            }
            other => self.literal(other),
        }
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.get(self.at).copied();
        self.at += usize::from(c.is_some());
        c
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    /// Whether what was just read stands where a basic expression begins.
    fn is_start(&self) -> bool {
        let before = &self.rest[..self.at - 1];
        before.is_empty() || before.ends_with(&['\\', '(']) || before.ends_with(&['\\', '|'])
    }

    /// Whether what was just read stands where a basic expression ends.
    fn is_end(&self) -> bool {
        self.peek(0).is_none() || (self.peek(0) == Some('\\') && matches!(self.peek(1), Some(')' | '|')))
    }

    fn set_atom(&mut self, start: usize) {
        self.atom = Some(start);
        self.is_repeated = false;
    }

    fn piece(&mut self, text: &str) {
        let start = self.out.len();
        self.out.push_str(text);
        self.set_atom(start);
    }

    fn literal(&mut self, c: char) {
        let start = self.out.len();
        push_literal(&mut self.out, c);
        self.set_atom(start);
    }

    fn anchor(&mut self, text: &str) {
        self.out.push_str(text);
        self.atom = None;
    }

    fn open(&mut self) {
        self.groups += 1;
        self.open.push(self.out.len());
        self.out.push('(');
        self.atom = None;
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(start) = self.open.pop() else { return Err("Unmatched ) or \\)".to_owned()) };
        self.out.push(')');
        self.set_atom(start);
        Ok(())
    }

    fn either(&mut self) {
        self.out.push('|');
        self.atom = None;
    }

    fn repeat(&mut self, how: &str) {
        let Some(start) = self.atom else {
            // With nothing before it, it stands for itself.
            for c in how.chars() {
                self.literal(c);
            }
            return;
        };
        // `a+?` is an optional `a+` here, not one that takes as little as it can.
        if self.is_repeated {
            self.out.insert_str(start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(how);
        self.is_repeated = true;
    }

    /// What follows `{`.
    fn interval(&mut self) -> Result<(), String> {
        let start = self.at;
        let number = |this: &mut Self| {
            let digits: String = std::iter::from_fn(|| {
                let digit = this.peek(0).filter(char::is_ascii_digit)?;
                this.at += 1;
                Some(digit)
            })
            .collect();
            digits.parse::<u32>().ok()
        };
        let least = number(self);
        let mut most = least;
        let has_comma = self.peek(0) == Some(',');
        if has_comma {
            self.at += 1;
            most = number(self);
        }
        let is_closed = match (self.extended, self.peek(0), self.peek(1)) {
            (true, Some('}'), _) => {
                self.at += 1;
                true
            }
            (false, Some('\\'), Some('}')) => {
                self.at += 2;
                true
            }
            _ => false,
        };
        if !is_closed || (least.is_none() && !has_comma) {
            if !self.extended {
                let why =
                    if is_closed || self.at < self.rest.len() { "Invalid content of \\{\\}" } else { "Unmatched \\{" };
                return Err(why.to_owned());
            }
            // As GNU's: what cannot be a number of times stands for itself.
            self.at = start;
            self.literal('{');
            return Ok(());
        }
        let least = least.unwrap_or(0);
        if most.is_some_and(|most| most < least) {
            return Err("Invalid content of \\{\\}".to_owned());
        }
        if least.max(most.unwrap_or(0)) > 32_767 {
            return Err("Regular expression too big".to_owned());
        }
        let how = match (has_comma, most) {
            (false, _) => format!("{{{least}}}"),
            (true, None) => format!("{{{least},}}"),
            (true, Some(most)) => format!("{{{least},{most}}}"),
        };
        self.repeat(&how);
        Ok(())
    }

    /// What follows `[`.
    fn bracket(&mut self) -> Result<(), String> {
        const UNMATCHED: &str = "Unmatched [, [^, [:, [., or [=";
        self.out.push('[');
        if self.peek(0) == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            let c = self.next().ok_or(UNMATCHED)?;
            if c == ']' && !is_first {
                break;
            }
            is_first = false;
            if c == '[' && self.peek(0) == Some(':') {
                self.at += 1;
                let name = self.until(':').ok_or(UNMATCHED)?;
                self.out.push_str(class(&name).ok_or("Invalid character class name")?);
                continue;
            }
            let from = self.element(c).ok_or(UNMATCHED)?;
            if self.peek(0) == Some('-') && !matches!(self.peek(1), None | Some(']')) {
                self.at += 1;
                let c = self.next().ok_or(UNMATCHED)?;
                let to = self.element(c).ok_or(UNMATCHED)?;
                if from > to {
                    return Err("Invalid range end".to_owned());
                }
                push_literal(&mut self.out, from);
                self.out.push('-');
                push_literal(&mut self.out, to);
            } else {
                push_literal(&mut self.out, from);
            }
        }
        self.out.push(']');
        Ok(())
    }

    /// One character of a bracket: itself, or what `[.x.]` and `[=x=]` name.
    fn element(&mut self, c: char) -> Option<char> {
        match (c, self.peek(0)) {
            ('[', Some(mark @ ('.' | '='))) => {
                self.at += 1;
                let name = self.until(mark)?;
                let mut name = name.chars();
                name.next().filter(|_| name.next().is_none())
            }
            _ => Some(c),
        }
    }

    /// What is before `mark` and `]`.
    fn until(&mut self, mark: char) -> Option<String> {
        let mut name = String::new();
        loop {
            match self.next()? {
                c if c == mark && self.peek(0) == Some(']') => {
                    self.at += 1;
                    return Some(name);
                }
                c => name.push(c),
            }
        }
    }
}

/// A text that matches itself.
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    text.chars().for_each(|c| push_literal(&mut out, c));
    out
}

fn push_literal(out: &mut String, c: char) {
    if c.is_ascii_punctuation() && c != '_' && c != '<' && c != '>' {
        out.push('\\');
    }
    out.push(c);
}

fn class(name: &str) -> Option<&'static str> {
    Some(match name {
        "alpha" => r"\p{Alphabetic}",
        "digit" => "0-9",
        "alnum" => r"\p{Alphabetic}0-9",
        "upper" => r"\p{Uppercase}",
        "lower" => r"\p{Lowercase}",
        "space" => r"\s",
        "blank" => r" \t",
        "punct" => r"\p{P}\p{S}",
        "cntrl" => r"\p{Cc}",
        "graph" => r"\p{L}\p{M}\p{N}\p{P}\p{S}",
        "print" => r"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}",
        "xdigit" => "0-9A-Fa-f",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(pattern: &str) -> String {
        translate(pattern, false).unwrap().regex
    }

    fn extended(pattern: &str) -> String {
        translate(pattern, true).unwrap().regex
    }

    #[test]
    fn basic_expressions_escape_what_is_special() {
        for (pattern, regex) in [
            ("a+b", r"a\+b"),
            (r"a\+b", "a+b"),
            (r"\(ab\)*", "(ab)*"),
            (r"a\{2,3\}", "a{2,3}"),
            (r"a\|b", "a|b"),
            ("*a", r"\*a"),
            ("^*a", r"^\*a"),
            ("a^b$c", r"a\^b\$c"),
            (r"\(^a$\)", "(^a$)"),
            ("a{1}", r"a\{1\}"),
            (r"\.", r"\."),
            ("fn main()", r"fn main\(\)"),
        ] {
            assert_eq!(basic(pattern), regex, "{pattern}");
        }
    }

    #[test]
    fn extended_expressions() {
        for (pattern, regex) in [
            ("a+?", "(?:a+)?"),
            ("(a|b){2}", "(a|b){2}"),
            ("a{,3}", "a{0,3}"),
            ("a{x", r"a\{x"),
            ("{", r"\{"),
            ("*a", r"\*a"),
            (r"\<a\>", r"\b{start}a\b{end}"),
            ("a)", r"a\)"),
        ] {
            assert_eq!(extended(pattern), regex, "{pattern}");
        }
    }

    #[test]
    fn brackets() {
        for (pattern, regex) in [
            ("[]a]", r"[\]a]"),
            ("[^]a-c]", r"[^\]a-c]"),
            ("[a-]", r"[a\-]"),
            (r"[\n]", r"[\\n]"),
            ("[[:digit:]x]", "[0-9x]"),
            ("[a&&b]", r"[a\&\&b]"),
            ("[[.-.]x]", r"[\-x]"),
        ] {
            assert_eq!(extended(pattern), regex, "{pattern}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (pattern, is_extended, why) in [
            ("[a", true, "Unmatched [, [^, [:, [., or [="),
            ("(a", true, "Unmatched ( or \\("),
            (r"\)", false, "Unmatched ) or \\)"),
            (r"a\", false, "Trailing backslash"),
            ("[[:x:]]", true, "Invalid character class name"),
            (r"\(a\)\2", false, "Invalid back reference"),
            ("[b-a]", true, "Invalid range end"),
            (r"a\{1", false, "Unmatched \\{"),
        ] {
            assert_eq!(translate(pattern, is_extended).unwrap_err(), why, "{pattern}");
        }
    }

    #[test]
    fn references_are_seen() {
        let translated = translate(r"\(a\)\1", false).unwrap();
        assert_eq!(translated, Translated { regex: r"(a)(?:\1)".to_owned(), has_references: true });
    }
}
