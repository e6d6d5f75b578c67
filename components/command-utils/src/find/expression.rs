//! find's expressions.

use std::time::{Duration, SystemTime};

use globset::{GlobBuilder, GlobMatcher};
use regex::bytes::{Regex, RegexBuilder};

/// Whether a number is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    More(u64),
    Less(u64),
    Exactly(u64),
}

impl Number {
    fn parse(text: &str) -> Option<Self> {
        let (kind, digits): (fn(u64) -> Self, &str) = match text.as_bytes().first()? {
            b'+' => (Self::More, &text[1..]),
            b'-' => (Self::Less, &text[1..]),
            _ => (Self::Exactly, text),
        };
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok().map(kind))?
    }

    pub fn holds(self, number: u64) -> bool {
        match self {
            Self::More(than) => number > than,
            Self::Less(than) => number < than,
            Self::Exactly(than) => number == than,
        }
    }
}

pub enum Expression {
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    /// The second's answer counts.
    List(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    True,
    False,
    Name(GlobMatcher),
    Path(GlobMatcher),
    Regex(Regex),
    LinkName(GlobMatcher),
    /// Letters of kinds, and whether that of a link's target counts.
    Type(String, bool),
    /// In units of so many bytes, rounded up.
    Size(Number, u64),
    Empty,
    /// Age in units of so many seconds.
    Age(Number, u64),
    NewerThan(SystemTime),
    /// What a file of one user always is.
    Owned,
    /// Of permission bits: these and no others, all of these, any of these.
    Permission(Bits, u32),
    /// One of these bits, of what a link leads to.
    Allows(u32),
    /// The same file, under any name.
    Same(std::path::PathBuf),
    /// What is printed goes to this one of the files.
    ToFile(usize, Box<Expression>),
    Prune,
    Quit,
    Print,
    Print0,
    Printf(String),
    List1,
    Delete,
    Execute(Execute),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    Exactly,
    All,
    Any,
}

/// The one user and group of the sandbox, whom all files belong to.
pub const USER: (&str, &str) = ("sandbox", "1000");

pub struct Execute {
    /// Only if stdin says so.
    pub asks: bool,
    /// Which of those with `+` it is.
    pub number: usize,
    pub words: Vec<String>,
    /// As many files at once as there are.
    pub is_batch: bool,
    /// In the file's folder.
    pub in_folder: bool,
}

#[derive(Default)]
pub struct Options {
    pub roots: Vec<String>,
    pub follows: Follows,
    pub depth_max: Option<usize>,
    pub depth_min: usize,
    pub depth_first: bool,
    pub batches: usize,
    /// That are written to.
    pub files: Vec<String>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    #[default]
    Never,
    Roots,
    Always,
}

pub struct Parsed {
    pub options: Options,
    pub expression: Expression,
}

struct Parser<'a> {
    words: &'a [String],
    at: usize,
    options: Options,
    has_action: bool,
    has_prune: bool,
    has_delete: bool,
    now: SystemTime,
    day_start: bool,
    extended: bool,
}

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// # Errors
/// What is wrong, as find says it.
pub fn parse(words: &[String], now: SystemTime) -> Result<Parsed, String> {
    let mut options = Options::default();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "-P" => options.follows = Follows::Never,
            "-H" => options.follows = Follows::Roots,
            "-L" => options.follows = Follows::Always,
            word if word.starts_with("-O") || word == "--" => {}
            _ => break,
        }
        at += 1;
    }
    let begins =
        |word: &String| (word.starts_with('-') && word.len() > 1) || matches!(word.as_str(), "(" | "!" | ")" | ",");
    let end = words[at..].iter().position(begins).map_or(words.len(), |length| at + length);
    options.roots = words[at..end].to_vec();
    if options.roots.is_empty() {
        options.roots.push(".".to_owned());
    }
    let mut parser = Parser {
        words: &words[end..],
        at: 0,
        options,
        has_action: false,
        has_prune: false,
        has_delete: false,
        now,
        day_start: false,
        extended: false,
    };
    let mut expression = if parser.words.is_empty() { Expression::True } else { parser.list()? };
    if let Some(extra) = parser.words.get(parser.at) {
        return Err(match extra.as_str() {
            ")" => "invalid expression; you have too many ')'".to_owned(),
            other => format!("paths must precede expression: `{other}'"),
        });
    }
    if parser.has_delete {
        if parser.has_prune {
            return Err(
                "The -delete action automatically turns on -depth, but -prune does nothing when -depth is in effect.  \
                        If you want to carry on anyway, just explicitly use the -depth option."
                    .to_owned(),
            );
        }
        parser.options.depth_first = true;
    }
    if !parser.has_action {
        expression = Expression::And(Box::new(expression), Box::new(Expression::Print));
    }
    Ok(Parsed { options: parser.options, expression })
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(String::as_str)
    }

    fn take(&mut self, words: &[&str]) -> bool {
        let is_next = self.peek().is_some_and(|next| words.contains(&next));
        self.at += usize::from(is_next);
        is_next
    }

    fn list(&mut self) -> Result<Expression, String> {
        let mut all = self.either()?;
        while self.take(&[","]) {
            all = Expression::List(Box::new(all), Box::new(self.either()?));
        }
        Ok(all)
    }

    fn either(&mut self) -> Result<Expression, String> {
        let mut all = self.both()?;
        while self.take(&["-o", "-or"]) {
            all = Expression::Or(Box::new(all), Box::new(self.both()?));
        }
        Ok(all)
    }

    fn both(&mut self) -> Result<Expression, String> {
        let mut all = self.one()?;
        loop {
            if !self.take(&["-a", "-and"]) && matches!(self.peek(), None | Some(")" | "," | "-o" | "-or")) {
                return Ok(all);
            }
            all = Expression::And(Box::new(all), Box::new(self.one()?));
        }
    }

    fn one(&mut self) -> Result<Expression, String> {
        let Some(word) = self.peek().map(str::to_owned) else {
            return Err("expected an expression after the last operator".to_owned());
        };
        self.at += 1;
        match word.as_str() {
            "!" | "-not" => Ok(Expression::Not(Box::new(self.one()?))),
            "(" => {
                if self.take(&[")"]) {
                    return Err("invalid expression; empty parentheses are not allowed.".to_owned());
                }
                let inside = self.list()?;
                if !self.take(&[")"]) {
                    return Err("invalid expression; expected to find a ')' but didn't see one.  Perhaps you need an \
                                extra predicate after '('"
                        .to_owned());
                }
                Ok(inside)
            }
            ")" | "," | "-o" | "-or" | "-a" | "-and" => {
                Err(format!("invalid expression; you have used a binary operator '{word}' with nothing before it."))
            }
            _ => self.primary(&word),
        }
    }

    fn value(&mut self, of: &str) -> Result<String, String> {
        let value = self.words.get(self.at).ok_or_else(|| format!("missing argument to `{of}'"))?;
        self.at += 1;
        Ok(value.clone())
    }

    fn number(&mut self, of: &str) -> Result<Number, String> {
        let value = self.value(of)?;
        Number::parse(&value).ok_or_else(|| format!("invalid argument `{value}' to `{of}'"))
    }

    fn depth(&mut self, of: &str) -> Result<usize, String> {
        let value = self.value(of)?;
        value.parse().map_err(|_| format!("Expected a positive decimal integer argument to {of}, but got ‘{value}’"))
    }

    fn glob(&mut self, of: &str, ignore_case: bool) -> Result<GlobMatcher, String> {
        let pattern = self.value(of)?;
        // Alternatives in braces are the shell's, and are literal here.
        let literal = pattern.replace('{', "[{]").replace('}', "[}]").replace("**", "*");
        let mut builder = GlobBuilder::new(&literal);
        builder.case_insensitive(ignore_case).literal_separator(false).backslash_escape(true).empty_alternates(true);
        match builder.build() {
            Ok(glob) => Ok(glob.compile_matcher()),
            // What is no pattern means itself, as for fnmatch.
            Err(_) => {
                let literal: String = pattern.chars().flat_map(|c| ['\\', c]).collect();
                GlobBuilder::new(&literal).build().map(|glob| glob.compile_matcher()).map_err(|error| error.to_string())
            }
        }
    }

    fn regex(&mut self, of: &str, ignore_case: bool) -> Result<Expression, String> {
        let pattern = self.value(of)?;
        let pattern = if self.extended { pattern } else { from_emacs(&pattern) };
        // The whole path has to match.
        let built = RegexBuilder::new(&format!("^(?:{pattern})$"))
            .case_insensitive(ignore_case)
            .dot_matches_new_line(true)
            .build();
        built
            .map(Expression::Regex)
            .map_err(|error| format!("{of}: {}", error.to_string().lines().last().unwrap_or_default()))
    }

    fn modified(&self, path: &str) -> Result<SystemTime, String> {
        let data = std::fs::metadata(path).and_then(|data| data.modified());
        data.map_err(|error| format!("‘{path}’: {}", crate::reason(&error)))
    }

    fn action(&mut self, action: Expression) -> Result<Expression, String> {
        self.has_action = true;
        Ok(action)
    }

    fn primary(&mut self, word: &str) -> Result<Expression, String> {
        Ok(match word {
            "-true" => Expression::True,
            "-false" => Expression::False,
            "-name" => Expression::Name(self.glob(word, false)?),
            "-iname" => Expression::Name(self.glob(word, true)?),
            "-path" | "-wholename" => Expression::Path(self.glob(word, false)?),
            "-ipath" | "-iwholename" => Expression::Path(self.glob(word, true)?),
            "-lname" => Expression::LinkName(self.glob(word, false)?),
            "-ilname" => Expression::LinkName(self.glob(word, true)?),
            "-regex" => self.regex(word, false)?,
            "-iregex" => self.regex(word, true)?,
            "-regextype" => {
                let kind = self.value(word)?;
                self.extended = match kind.as_str() {
                    "posix-extended" | "posix-egrep" | "egrep" | "posix-awk" | "gnu-awk" | "awk" => true,
                    "emacs" | "findutils-default" | "posix-basic" | "grep" | "ed" | "sed" | "posix-minimal-basic" => {
                        false
                    }
                    other => return Err(format!("Unknown regular expression type ‘{other}’")),
                };
                Expression::True
            }
            "-type" | "-xtype" => {
                let kinds = self.value(word)?;
                let kinds: Vec<&str> = kinds.split(',').collect();
                for kind in &kinds {
                    if !matches!(*kind, "f" | "d" | "l" | "b" | "c" | "p" | "s") {
                        return Err(format!("Unknown argument to {word}: {kind}"));
                    }
                }
                Expression::Type(kinds.concat(), word == "-xtype")
            }
            "-size" => {
                let size = self.value(word)?;
                let wrong = || format!("Invalid argument `{size}' to -size");
                let (digits, unit) = match size.chars().last().ok_or_else(wrong)? {
                    'c' => (&size[..size.len() - 1], 1),
                    'w' => (&size[..size.len() - 1], 2),
                    'b' => (&size[..size.len() - 1], 512),
                    'k' => (&size[..size.len() - 1], 1 << 10),
                    'M' => (&size[..size.len() - 1], 1 << 20),
                    'G' => (&size[..size.len() - 1], 1 << 30),
                    _ => (&*size, 512),
                };
                Expression::Size(Number::parse(digits).ok_or_else(wrong)?, unit)
            }
            "-empty" => Expression::Empty,
            "-daystart" => {
                self.day_start = true;
                Expression::True
            }
            // There is one time of a file.
            "-mtime" | "-atime" | "-ctime" => Expression::Age(self.number(word)?, DAY_SECONDS),
            "-mmin" | "-amin" | "-cmin" => Expression::Age(self.number(word)?, 60),
            "-newer" | "-anewer" | "-cnewer" | "-newermm" => {
                let path = self.value(word)?;
                Expression::NewerThan(self.modified(&path)?)
            }
            "-newermt" => {
                let text = self.value(word)?;
                let time = time(&text, self.now);
                Expression::NewerThan(
                    time.ok_or_else(|| format!("I cannot figure out how to interpret ‘{text}’ as a date or time"))?,
                )
            }
            "-readable" => Expression::Allows(0o444),
            "-writable" => Expression::Allows(0o222),
            "-follow" => {
                self.options.follows = Follows::Always;
                Expression::True
            }
            "-depth" | "-d" => {
                self.options.depth_first = true;
                Expression::True
            }
            "-maxdepth" => {
                self.options.depth_max = Some(self.depth(word)?);
                Expression::True
            }
            "-mindepth" => {
                self.options.depth_min = self.depth(word)?;
                Expression::True
            }
            // There is one file system, and what is missing is said anyway.
            "-xdev"
            | "-mount"
            | "-noleaf"
            | "-warn"
            | "-nowarn"
            | "-ignore_readdir_race"
            | "-noignore_readdir_race" => Expression::True,
            "-prune" => {
                self.has_prune = true;
                Expression::Prune
            }
            "-quit" => self.action(Expression::Quit)?,
            "-print" => self.action(Expression::Print)?,
            "-print0" => self.action(Expression::Print0)?,
            "-printf" => {
                let form = self.value(word)?;
                super::print::check(&form)?;
                self.action(Expression::Printf(form))?
            }
            "-ls" => self.action(Expression::List1)?,
            "-delete" => {
                self.has_delete = true;
                self.action(Expression::Delete)?
            }
            "-exec" | "-execdir" | "-ok" | "-okdir" => {
                let execute = self.execute(word)?;
                self.action(Expression::Execute(execute))?
            }
            "-fprint" | "-fprint0" | "-fls" | "-fprintf" => {
                let file = self.value(word)?;
                let printed = match word {
                    "-fprint" => Expression::Print,
                    "-fprint0" => Expression::Print0,
                    "-fls" => Expression::List1,
                    _ => {
                        let form = self.value(word)?;
                        super::print::check(&form)?;
                        Expression::Printf(form)
                    }
                };
                let number = match self.options.files.iter().position(|known| *known == file) {
                    Some(number) => number,
                    None => {
                        self.options.files.push(file);
                        self.options.files.len() - 1
                    }
                };
                self.action(Expression::ToFile(number, Box::new(printed)))?
            }
            "-perm" => {
                let mode = self.value(word)?;
                let (bits, rest) = match mode.as_bytes().first() {
                    Some(b'-') => (Bits::All, &mode[1..]),
                    Some(b'/') => (Bits::Any, &mode[1..]),
                    _ => (Bits::Exactly, &*mode),
                };
                Expression::Permission(bits, permission(rest).ok_or_else(|| format!("invalid mode ‘{mode}’"))?)
            }
            "-executable" => Expression::Allows(0o111),
            "-user" | "-group" | "-uid" | "-gid" => {
                let who = self.value(word)?;
                if who == USER.1 || (who == USER.0 && matches!(word, "-user" | "-group")) {
                    Expression::Owned
                } else if word.ends_with("id") || who.bytes().all(|byte| byte.is_ascii_digit()) {
                    let wrong = || format!("invalid argument `{who}' to `{word}'");
                    match Number::parse(&who).ok_or_else(wrong)?.holds(USER.1.parse().map_err(|_| wrong())?) {
                        true => Expression::Owned,
                        false => Expression::False,
                    }
                } else {
                    return Err(format!("‘{who}’ is not the name of a known {}", &word[1..]));
                }
            }
            "-nouser" | "-nogroup" => Expression::False,
            "-samefile" => {
                let path = self.value(word)?;
                let real = std::fs::canonicalize(&path);
                Expression::Same(real.map_err(|error| format!("‘{path}’: {}", crate::reason(&error)))?)
            }
            "-links" | "-inum" | "-fstype" | "-context" | "-used" | "-files0-from" => {
                return Err(format!("`{word}' is not supported in this sandbox"));
            }
            other if other.starts_with('-') => return Err(format!("unknown predicate `{other}'")),
            other => return Err(format!("paths must precede expression: `{other}'")),
        })
    }

    fn execute(&mut self, word: &str) -> Result<Execute, String> {
        let mut words = Vec::new();
        let is_batch = loop {
            let next = self.value(word)?;
            match next.as_str() {
                ";" => break false,
                "+" if words.last().is_some_and(|last| last == "{}") => {
                    words.pop();
                    break true;
                }
                _ => words.push(next),
            }
        };
        if words.is_empty() {
            return Err(format!("missing argument to `{word}'"));
        }
        if is_batch && words.iter().any(|word| word.contains("{}")) {
            return Err(format!("Only one instance of {{}} is supported with {word} ... +"));
        }
        let number = self.options.batches;
        self.options.batches += usize::from(is_batch);
        let asks = word.starts_with("-ok");
        if asks && is_batch {
            return Err(format!("{word} goes with `;', not with `+'"));
        }
        Ok(Execute { asks, number, words, is_batch, in_folder: word.ends_with("dir") })
    }
}

/// `644`, or `u=rw,go+r`.
fn permission(text: &str) -> Option<u32> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
    }
    let mut mode = 0;
    for clause in text.split(',') {
        let at = clause.find(['=', '+', '-'])?;
        let mut who = 0;
        for letter in clause[..at].chars() {
            who |= match letter {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        let who = if who == 0 { 0o777 } else { who };
        let mut bits = 0;
        for letter in clause[at + 1..].chars() {
            bits |= match letter {
                'r' => 0o444,
                'w' => 0o222,
                'x' | 'X' => 0o111,
                _ => return None,
            };
        }
        match clause.as_bytes()[at] {
            b'=' => mode = mode & !who | bits & who,
            b'+' => mode |= bits & who,
            _ => mode &= !(bits & who),
        }
    }
    Some(mode)
}

/// A date, a date and a time, or `N UNITS ago`.
fn time(text: &str, now: SystemTime) -> Option<SystemTime> {
    let text = text.trim();
    if text == "now" {
        return Some(now);
    }
    if let Some(seconds) = text.strip_prefix('@') {
        return Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.parse().ok()?));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    if let ["yesterday"] = words[..] {
        return now.checked_sub(Duration::from_secs(DAY_SECONDS));
    }
    if let [number, unit, "ago"] = words[..] {
        let unit = match unit.trim_end_matches('s') {
            "second" | "sec" => 1,
            "minute" | "min" => 60,
            "hour" => 60 * 60,
            "day" => DAY_SECONDS,
            "week" => 7 * DAY_SECONDS,
            _ => return None,
        };
        return now.checked_sub(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(unit)?));
    }
    if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        return Some(stamp.into());
    }
    let civil = text.replacen(' ', "T", 1).parse::<jiff::civil::DateTime>();
    let civil = civil.or_else(|_| text.parse::<jiff::civil::Date>().map(|date| date.at(0, 0, 0, 0))).ok()?;
    Some(jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?.into())
}

/// Emacs' regular expressions: groups, alternatives and repetitions with a backslash, `+` and `?` without.
fn from_emacs(pattern: &str) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    let mut in_bracket = false;
    while let Some(c) = chars.next() {
        match c {
            '[' if !in_bracket => {
                in_bracket = true;
                out.push('[');
                if chars.peek() == Some(&'^') {
                    out.extend(chars.next());
                }
                if chars.peek() == Some(&']') {
                    chars.next();
                    out.push_str("\\]");
                }
            }
            ']' if in_bracket => {
                in_bracket = false;
                out.push(']');
            }
            '\\' if in_bracket => out.push_str("\\\\"),
            '\\' => match chars.next() {
                Some(c @ ('(' | ')' | '|' | '{' | '}')) => out.push(c),
                Some(c) => out.extend(['\\', c]),
                None => out.push_str("\\\\"),
            },
            '(' | ')' | '|' | '{' | '}' if !in_bracket => out.extend(['\\', c]),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            (". -name", "missing argument to `-name'"),
            (". -nothing", "unknown predicate `-nothing'"),
            (". ( -name x", "invalid expression; expected to find a ')'"),
            (". -name x )", "invalid expression; you have too many ')'"),
            (". -o -name x", "invalid expression; you have used a binary operator"),
            (". -type x", "Unknown argument to -type: x"),
            (". -size 3z", "Invalid argument `3z' to -size"),
            (". -inum 3", "`-inum' is not supported"),
            (". -perm u", "invalid mode ‘u’"),
            (". -user nobody", "‘nobody’ is not the name of a known user"),
            (". -ok x {} +", "-ok goes with `;'"),
            (". -name x y", "paths must precede expression: `y'"),
            (". -exec echo {}", "missing argument to `-exec'"),
        ] {
            let Err(error) = parse(&words(text), SystemTime::now()) else { panic!("{text}") };
            assert!(error.starts_with(why), "{text}: {error}");
        }
    }

    #[test]
    fn without_a_path_it_is_here() {
        assert_eq!(parse(&words("-type f"), SystemTime::now()).unwrap().options.roots, ["."]);
        assert_eq!(parse(&words("a b -name x"), SystemTime::now()).unwrap().options.roots, ["a", "b"]);
    }

    #[test]
    fn deleting_is_depth_first() {
        assert!(parse(&words(". -delete"), SystemTime::now()).unwrap().options.depth_first);
    }

    #[test]
    fn times() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert_eq!(time("2 hours ago", now), now.checked_sub(Duration::from_secs(7200)));
        assert_eq!(time("1970-01-02", now), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(DAY_SECONDS)));
        assert_eq!(time("1970-01-01 00:01", now), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60)));
        assert_eq!(time("soon", now), None);
    }

    #[test]
    fn modes_are_numbers_or_letters() {
        for (text, mode) in [("644", 0o644), ("u=rw,go=r", 0o644), ("+x", 0o111), ("a=rwx,o-w", 0o775), ("0400", 0o400)]
        {
            assert_eq!(permission(text), Some(mode), "{text}");
        }
        for wrong in ["", "9", "u", "u=q", "77777"] {
            assert_eq!(permission(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn emacs_expressions() {
        assert_eq!(from_emacs(r".*\.\(rs\|toml\)"), r".*\.(rs|toml)");
        assert_eq!(from_emacs(r"a(b)[\]]+"), r"a\(b\)[\\]]+");
    }
}
