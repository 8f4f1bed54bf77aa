//! Where packed bytes go: into the file as they are, or encrypted.

use std::io::{self, Write};

use age::stream::StreamWriter;
use age::{EncryptError, Encryptor};

use super::new_file::NewFile;
use super::recipient::Recipient;

pub(super) enum Sink {
    Plain(NewFile),
    /// The age format, version 1 (<https://age-encryption.org/v1>), binary.
    Encrypted(Box<StreamWriter<NewFile>>),
}

impl Sink {
    /// Encrypts to each of the recipients, if there are any.
    pub(super) fn new(file: NewFile, recipients: &[Recipient]) -> io::Result<Self> {
        if recipients.is_empty() {
            return Ok(Sink::Plain(file));
        }
        let encryptor = Encryptor::with_recipients(recipients.iter().map(Recipient::key)).map_err(
            |error| match error {
                EncryptError::Io(error) => error,
                // Others are of passphrases, plugins and kinds of keys that are not taken here.
                error => io::Error::other(format!("{error:?}")),
            },
        )?;
        Ok(Sink::Encrypted(Box::new(encryptor.wrap_output(file)?)))
    }

    /// Writes the end of the encryption.
    pub(super) fn finish(self) -> io::Result<NewFile> {
        match self {
            Sink::Plain(file) => Ok(file),
            Sink::Encrypted(writer) => writer.finish(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Plain(file) => file.write(bytes),
            Sink::Encrypted(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Plain(file) => file.flush(),
            Sink::Encrypted(writer) => writer.flush(),
        }
    }
}
