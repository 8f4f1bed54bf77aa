//! The tables `Transfers`, `Voicemails` and `VideoMessages`.

use std::collections::BTreeSet;

use custody_schemas::event::{Data, File};
use custody_schemas::kind::Kind;

use super::book::Book;
use super::db::{Database, Row};
use super::{Found, Name, Origin, SkypeError, plain};

// `Transfers.type` and `Transfers.status` of SkypeKit.
const INCOMING: i64 = 1;
const COMPLETED: i64 = 8;

/// Messages whose files are in the table.
pub(super) fn offers(db: &Database) -> Result<BTreeSet<String>, SkypeError> {
    let transfers = db.rows("Transfers")?;
    Ok(transfers.iter().filter_map(|row| row.text("chatmsg_guid")).map(str::to_owned).collect())
}

pub(super) fn read(db: &Database, book: &Book, found: &mut Found) -> Result<(), SkypeError> {
    let transfers = db.rows("Transfers")?;
    transfers.iter().for_each(|row| transfer(book, row, found));
    found.count("Transfers", transfers.len(), transfers.len(), 0);
    let voicemails = db.rows("Voicemails")?;
    voicemails.iter().for_each(|row| other(book, "Voicemails", "skype.voicemail", row, found));
    found.count("Voicemails", voicemails.len(), voicemails.len(), 0);
    let videos = db.rows("VideoMessages")?;
    videos.iter().for_each(|row| other(book, "VideoMessages", "skype.videomessage", row, found));
    found.count("VideoMessages", videos.len(), videos.len(), 0);
    Ok(())
}

/// A file that was offered and, if it arrived, fetched.
fn transfer(book: &Book, row: &Row, found: &mut Found) {
    let origin = Origin::new("Transfers", row);
    let partner = row.text("partner_handle").map(|handle| book.called(handle, row.text("partner_dispname")));
    let owner = Some(book.party(&book.owner));
    let (from, to) = if row.int("type") == Some(INCOMING) { (partner, owner) } else { (owner, partner) };
    let id = Some(origin.stem().into());
    let file = File {
        id: id.clone(),
        name: row.text("filename").map(|name| name.to_owned().into()),
        size: row.int("filesize"),
        reference: row.text("filepath").map(|path| path.to_owned().into()),
        ..File::default()
    };
    let place = row.int("convo_id").map(|id| book.convo(id).0);
    let data = Data {
        conversation: place.clone(),
        from: from.clone(),
        to: to.clone().map(|party| vec![party]),
        file: Some(Box::new(file)),
        message: row.text("chatmsg_guid").map(|guid| plain(format!("skype:Messages:{guid}"), None)),
        ..Data::default()
    };
    found.add(&origin, Name::of(Kind::FileShared), row.int("starttime"), data, &[]);
    if row.int("status") != Some(COMPLETED) {
        return;
    }
    let at_s = row.int("finishtime").filter(|&second| second > 0).or(row.int("starttime"));
    let data = Data {
        conversation: place,
        from: to,
        to: from.map(|party| vec![party]),
        file: Some(Box::new(File { id, ..File::default() })),
        ..Data::default()
    };
    found.add(&origin, Name { kind: Kind::FileDownloaded.full(), suffix: ":downloaded" }, at_s, data, &[]);
}

/// What the contract has no type for.
fn other(book: &Book, table: &'static str, kind: &'static str, row: &Row, found: &mut Found) {
    let origin = Origin::new(table, row);
    let who = row.text("partner_handle").or(row.text("author"));
    let data = Data {
        conversation: row.int("convo_id").map(|id| book.convo(id).0),
        from: who.map(|who| book.called(who, row.text("partner_dispname"))),
        message: row
            .text("title")
            .or(row.text("subject"))
            .map(|text| plain(origin.stem(), Some(text.to_owned()))),
        ..Data::default()
    };
    let at_s = row.int("timestamp").or(row.int("creation_timestamp"));
    found.add(&origin, Name { kind, suffix: "" }, at_s, data, &[]);
}
