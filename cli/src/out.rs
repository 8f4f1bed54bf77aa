//! Standard output. Whoever has read enough may close the pipe.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// Prints a part of an answer. A closed pipe ends the program without a word; an answer that
/// cannot be written for another reason is a failure.
pub fn print(part: Arguments<'_>) {
    let Err(error) = std::io::stdout().lock().write_fmt(part) else { return };
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    eprintln!("custody: cannot write the answer: {error}");
    std::process::exit(1);
}

/// `print!` that does not panic.
#[macro_export]
macro_rules! out {
    ($($part:tt)*) => { $crate::out::print(format_args!($($part)*)) };
}

/// `println!` that does not panic.
#[macro_export]
macro_rules! outln {
    ($($part:tt)*) => { $crate::out::print(format_args!("{}\n", format_args!($($part)*))) };
}
