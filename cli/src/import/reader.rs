//! Lines of a file or of standard input, plain or compressed, in bounded memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

/// The longest line that is read: a Kafka message of this size is far beyond what brokers take.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// A line of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// The line without its end.
    Whole {
        /// Counted from 1.
        number: u64,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// The line is longer than the limit; it was passed over.
    TooLong {
        /// Counted from 1.
        number: u64,
    },
}

/// The lines of an input.
pub struct Lines {
    input: Box<dyn BufRead>,
    line: Vec<u8>,
    number: u64,
    bytes_max: usize,
}

impl Lines {
    /// Opens a file, or standard input for `-`. gzip and Zstandard are known by their first
    /// bytes, whatever the name.
    pub fn open(path: &Path) -> io::Result<Lines> {
        if path == Path::new("-") { Lines::new(io::stdin()) } else { Lines::new(File::open(path)?) }
    }

    /// Reads any input.
    pub fn new(input: impl Read + 'static) -> io::Result<Lines> {
        let input = decompressed(Box::new(input))?;
        Ok(Lines { input, line: Vec::new(), number: 0, bytes_max: LINE_BYTES_MAX })
    }

    /// With another limit for a line.
    pub fn bytes_max(self, bytes_max: usize) -> Lines {
        Lines { bytes_max, ..self }
    }

    /// Lines read so far.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next line; `None` at the end.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        // One byte more than a line may have: its end.
        let limit = self.bytes_max as u64 + 1;
        let read = self.input.by_ref().take(limit).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        let number = self.number + 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        } else if self.line.len() > self.bytes_max {
            self.line = Vec::new();
            self.input.skip_until(b'\n')?;
            self.number = number;
            return Ok(Some(Line::TooLong { number }));
        }
        self.number = number;
        Ok(Some(Line::Whole { number, bytes: &self.line }))
    }
}

const GZIP: [u8; 2] = [0x1F, 0x8B];
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

fn decompressed(mut input: Box<dyn Read>) -> io::Result<Box<dyn BufRead>> {
    let mut head = Vec::new();
    input.by_ref().take(ZSTD.len() as u64).read_to_end(&mut head)?;
    let (gzip, zstd) = (head.starts_with(&GZIP), head == ZSTD);
    let whole = Cursor::new(head).chain(input);
    Ok(if gzip {
        Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(whole)))
    } else if zstd {
        Box::new(BufReader::new(zstd::Decoder::new(whole)?))
    } else {
        Box::new(BufReader::new(whole))
    })
}
