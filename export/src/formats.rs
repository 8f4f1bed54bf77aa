//! Which format is which.

use std::path::Path;

use crate::error::Error;
use crate::format::cdr::Cdr;
use crate::format::chat_xml::ChatXml;
use crate::format::csv::Csv;
use crate::format::dat::Dat;
use crate::format::edrm::Edrm;
use crate::format::eml::Eml;
use crate::format::html::Html;
use crate::format::mbox::Mbox;
use crate::format::parquet::Parquet;
use crate::format::pdf::Pdf;
use crate::format::rsmf::Rsmf;
use crate::format::vcon::VconFormat;
use crate::format::xlsx::Xlsx;
use crate::format::{Format as Documents, Table};
use crate::request::Format;

/// What writes a format.
pub(crate) enum Writer<'p> {
    /// Nothing more: the lines of the evidence are the format.
    Evidence,
    /// Documents, each by itself.
    Documents(&'p dyn Documents),
    /// A table, begun in a folder.
    Table(fn(&Path) -> Result<Box<dyn Table>, Error>),
}

/// What writes a format; `pdf` if it is PDF.
pub(crate) fn of(format: Format, pdf: &Pdf) -> Writer<'_> {
    match format {
        Format::JsonLines => Writer::Evidence,
        Format::Html => Writer::Documents(&Html),
        Format::Pdf => Writer::Documents(pdf),
        Format::Eml => Writer::Documents(&Eml),
        Format::Mbox => Writer::Documents(&Mbox),
        Format::Csv => Writer::Documents(&Csv),
        Format::Calls => Writer::Documents(&Cdr),
        Format::Dat => Writer::Documents(&Dat),
        Format::EdrmXml => Writer::Documents(&Edrm),
        Format::Rsmf => Writer::Documents(&Rsmf),
        Format::Vcon => Writer::Documents(&VconFormat),
        Format::ChatXml => Writer::Documents(&ChatXml),
        Format::Xlsx => Writer::Table(|folder| Ok(Box::new(Xlsx::new(folder)?))),
        Format::Parquet => Writer::Table(|folder| Ok(Box::new(Parquet::new(folder)?))),
    }
}
