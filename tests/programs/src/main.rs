//! A command for tests: it does what its first argument says.

use std::io::{Read, Write};

command_kit::program!(run);

fn run() -> i32 {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words[..] {
        ["exit", status] => return status.parse().expect("a status"),
        ["arguments", ..] => println!("{arguments:?}"),
        ["environment"] => std::env::vars().for_each(|(name, value)| println!("{name}={value}")),
        ["directory"] => println!("{}", std::env::current_dir().expect("a directory").display()),
        ["read", path] => match std::fs::read(path) {
            Ok(bytes) => std::io::stdout().write_all(&bytes).expect("stdout takes it"),
            Err(error) => {
                eprintln!("{path}: {error}");
                return 2;
            }
        },
        ["write", path, text] => {
            if let Err(error) = std::fs::write(path, text) {
                eprintln!("{path}: {error}");
                return 2;
            }
        }
        // stdin to stdout, as it comes.
        ["copy"] => {
            std::io::copy(&mut std::io::stdin(), &mut std::io::stdout()).expect("it can be copied");
        }
        ["count"] => {
            let bytes = std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("stdin can be read");
            println!("{bytes}");
        }
        // Bytes to stdout.
        ["put", bytes] => {
            let mut left: u64 = bytes.parse().expect("a number");
            while left > 0 {
                let piece = left.min(65_536) as usize;
                std::io::stdout().write_all(&[b'x'; 65_536][..piece]).expect("stdout takes it");
                left -= piece as u64;
            }
        }
        ["first-byte"] => {
            let mut byte = [0];
            std::io::stdin().read_exact(&mut byte).expect("there is one");
            println!("{byte:?}");
        }
        ["spin"] => loop {
            std::hint::black_box(0);
        },
        ["sleep", ms] => std::thread::sleep(std::time::Duration::from_millis(ms.parse().expect("a number"))),
        ["say-and-sleep", ms] => {
            println!("asleep");
            std::thread::sleep(std::time::Duration::from_millis(ms.parse().expect("a number")));
        }
        ["grow", mib] => {
            let mib: usize = mib.parse().expect("a number");
            let bytes = std::hint::black_box(vec![1_u8; mib << 20]);
            println!("{}", bytes.len());
        }
        ["break"] => std::process::abort(),
        ["complain", text] => eprintln!("{text}"),
        _ => {
            eprintln!("what is {words:?}?");
            return 64;
        }
    }
    0
}
