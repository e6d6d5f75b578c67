//! The shell's own command line.

/// Where the script is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Text(String),
    File(String),
    Stdin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub source: Source,
    /// `$0`, if it was given after the script.
    pub name: Option<String>,
    /// `$1` and so on.
    pub arguments: Vec<String>,
    /// Options of `set` that hold from the start: `-e`, `-o pipefail`.
    pub set: Vec<String>,
    /// `-n`: is it a script at all? Status 0: yes, 1: its rest is missing, 2: no.
    pub only_check: bool,
    /// Variables to set and export before the script.
    pub env: Vec<(String, String)>,
    /// Where to go before the script.
    pub directory: Option<String>,
    /// What `$?` is at first.
    pub status: u8,
    /// The shell's state is read from this file before, and written to it after the script.
    pub state: Option<String>,
}

impl Options {
    /// As bash has them, and `--state FILE`, `--status NUMBER`, `--env NAME=VALUE`, `--cd DIRECTORY`, all of which come first.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.peekable();
        let (mut env, mut directory, mut status) = (Vec::new(), None, 0);
        let (mut set, mut is_text, mut is_stdin, mut only_check, mut state) = (Vec::new(), false, false, false, None);
        while let Some(argument) = arguments.next_if(|argument| argument.len() > 1 && argument.starts_with(['-', '+']))
        {
            match argument.as_str() {
                "--" => break,
                "--state" => state = Some(arguments.next().ok_or("--state needs a file")?),
                "--status" => {
                    let number = arguments.next().and_then(|number| number.parse().ok());
                    status = number.ok_or("--status needs a number from 0 to 255")?;
                }
                "--cd" => directory = Some(arguments.next().ok_or("--cd needs a directory")?),
                "--env" => {
                    let variable = arguments.next().unwrap_or_default();
                    let (name, value) = variable.split_once('=').ok_or("--env needs NAME=VALUE")?;
                    env.push((name.to_owned(), value.to_owned()));
                }
                "-o" | "+o" => {
                    let option = arguments.next().ok_or(format!("{argument} needs an option's name"))?;
                    set.push(format!("{argument} {option}"));
                }
                // Without effect: there are no start-up files, nobody logs in.
                "--norc" | "--noprofile" | "--login" | "--posix" => {}
                long if long.starts_with("--") => return Err(format!("{long}: there is no such option")),
                short => {
                    let (sign, letters) = short.split_at(1);
                    for letter in letters.chars() {
                        match letter {
                            'c' if sign == "-" => is_text = true,
                            's' if sign == "-" => is_stdin = true,
                            'n' if sign == "-" => only_check = true,
                            'i' | 'l' => {}
                            'a' | 'b' | 'e' | 'f' | 'h' | 'm' | 'u' | 'v' | 'x' | 'B' | 'C' | 'E' => {
                                set.push(format!("{sign}{letter}"));
                            }
                            _ => return Err(format!("{sign}{letter}: there is no such option")),
                        }
                    }
                }
            }
        }
        let (source, name) = if is_text {
            (Source::Text(arguments.next().ok_or("-c needs a script")?), arguments.next())
        } else {
            match arguments.next_if(|_| !is_stdin) {
                None => (Source::Stdin, None),
                Some(path) if path == "-" => (Source::Stdin, None),
                Some(path) => (Source::File(path), None),
            }
        };
        Ok(Self { source, name, arguments: arguments.collect(), set, only_check, env, directory, status, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<Options, String> {
        Options::parse(line.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn a_script_comes_from_the_line_a_file_or_stdin() {
        let text = parse(&["-ec", "echo $1", "name", "one", "-x"]).unwrap();
        assert_eq!(text.source, Source::Text("echo $1".to_owned()));
        assert_eq!(
            (text.name.as_deref(), text.arguments, text.set),
            (Some("name"), vec!["one".into(), "-x".into()], vec!["-e".into()])
        );
        let file = parse(&["-x", "a.sh", "-e"]).unwrap();
        assert_eq!((file.source, file.arguments), (Source::File("a.sh".to_owned()), vec!["-e".to_owned()]));
        for line in [&[][..], &["-"], &["-s", "a"]] {
            assert_eq!(parse(line).unwrap().source, Source::Stdin, "{line:?}");
        }
        assert_eq!(parse(&["-s", "a"]).unwrap().arguments, ["a"]);
    }

    #[test]
    fn options_of_set_are_kept_and_unknown_ones_refused() {
        assert_eq!(parse(&["-o", "pipefail", "+e", "-c", ":"]).unwrap().set, ["-o pipefail", "+e"]);
        assert!(parse(&["-n", "-c", "x"]).unwrap().only_check);
        assert_eq!(parse(&["--state", "/tmp/s", "-c", ":"]).unwrap().state.as_deref(), Some("/tmp/s"));
        let prepared = parse(&["--cd", "/a b", "--env", "A=b=c", "-c", ":"]).unwrap();
        assert_eq!(
            (prepared.directory.as_deref(), &prepared.env[..]),
            (Some("/a b"), &[("A".into(), "b=c".into())][..])
        );
        assert_eq!(parse(&["--status", "7", "-c", ":"]).unwrap().status, 7);
        for wrong in [&["-c"][..], &["-z"], &["--rcfile"], &["-o"], &["--state"], &["--status", "256"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
