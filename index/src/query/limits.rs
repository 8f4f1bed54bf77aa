//! What a query may cost before it is run.

/// The longest query, in bytes. Real ones are a line; the longest are lists of
/// a few hundred custodians pasted by an auditor, about 40 bytes each.
pub const QUERY_BYTES_MAX: usize = 65_536;

/// The deepest nesting of parentheses and `NOT`; people write three levels.
/// Everything that walks a query recurses, so this keeps a query from ending
/// the process by overflowing the stack. It is this low because a query is
/// stored as JSON: a level takes up to four there (`AND` and `OR`, an object
/// and an array each), readers refuse 128, and whatever holds it nests too.
pub const DEPTH_MAX: usize = 24;

/// The most words and filters together; each word of a phrase or of a name
/// counts, since each is a list of postings to open in every split.
pub const CLAUSES_MAX: usize = 1_024;

/// The most different words of one split that a form, a fuzzy word or a stem may stand for where
/// places count: in a phrase and in proximity. What stands for more is refused, never cut short.
/// Alone, such a word may stand for any number.
pub const EXPANSIONS_MAX: usize = 10_000;
