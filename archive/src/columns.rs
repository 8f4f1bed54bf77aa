//! The archive's columns. Names are final; columns may be added.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::repeated;

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn long(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn bytes(name: &str) -> Field {
    Field::new(name, DataType::Binary, true)
}

fn time(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true)
}

fn list(name: &str, fields: Fields) -> Field {
    Field::new(name, DataType::List(Arc::new(Field::new("element", DataType::Struct(fields), true))), true)
}

/// Members of a party: `relation` is `from`, `to`, `via`, `participant`,
/// `on_behalf_of`, `referred_by` or `original_target`.
pub(crate) static PARTY: LazyLock<Fields> = LazyLock::new(|| {
    ["relation", "network", "address", "name", "role", "scope"].map(text).into_iter().collect()
});

/// Members of a header.
pub(crate) static HEADER: LazyLock<Fields> =
    LazyLock::new(|| [text("name"), bytes("value")].into_iter().collect());

pub(crate) static CALL: LazyLock<Fields> = LazyLock::new(|| {
    [
        text("id"),
        text("media"),
        time("invite_time"),
        time("answer_time"),
        time("end_time"),
        long("duration_ms"),
        long("response_code"),
        text("reason"),
        text("diagnostics"),
        long("from_message_count"),
        long("to_message_count"),
        text("quality"),
    ]
    .into_iter()
    .collect()
});

pub(crate) static FILE: LazyLock<Fields> = LazyLock::new(|| {
    [text("id"), text("name"), text("media_type"), long("size"), text("sha256"), text("ref")]
        .into_iter()
        .collect()
});

/// The columns in the Parquet files, in order.
pub static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields = vec![
        text("topic"),
        Field::new("generation", DataType::Int32, true),
        Field::new("partition", DataType::Int32, true),
        long("offset"),
        text("batch"),
        time("broker_time"),
        time("archived_time"),
        text("status"),
        text("reason"),
        text("warnings"),
        text("id"),
        text("source"),
        long("sequence"),
        text("type"),
        time("event_time"),
        text("tenant"),
        text("conversation_id"),
        text("conversation_kind"),
        text("title"),
        list("parties", PARTY.clone()),
        text("client"),
        text("message_id"),
        text("in_reply_to"),
        text("content_type"),
        text("body"),
        text("detail"),
        Field::new("call", DataType::Struct(CALL.clone()), true),
        Field::new("file", DataType::Struct(FILE.clone()), true),
        long("identity"),
        bytes("key"),
        list("headers", HEADER.clone()),
        text("template"),
        bytes("payload"),
        long("leaf_check"),
    ];
    Arc::new(Schema::new(fields))
});

/// The same in memory, where columns of few values hold each of them once.
pub(crate) static WRITTEN: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields = SCHEMA.fields().iter().map(|field| match field.name().as_str() {
        "topic" | "batch" | "template" => Arc::new(field.as_ref().clone().with_data_type(repeated::kind())),
        _ => Arc::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Fields>()))
});

/// Columns that stand in the folder names instead of the files.
pub(crate) const PARTITION_COLUMNS: [&str; 2] = ["retention_class", "archive_month"];

/// The table's columns: those of the files and the partition columns.
pub(crate) fn table_schema() -> Schema {
    let files = SCHEMA.fields().iter().cloned();
    let partitions = PARTITION_COLUMNS.map(|name| Arc::new(text(name)));
    Schema::new(files.chain(partitions).collect::<Fields>())
}

/// `status` of a decoded record.
pub const STATUS_OK: &str = "ok";
/// `status` of a record that could not be decoded.
pub const STATUS_QUARANTINED: &str = "quarantined";
/// `status` of the row of a gap, at the first of the offsets that were lost.
pub const STATUS_GAP: &str = "gap";
