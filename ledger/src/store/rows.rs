//! Rows of indices, as the caller derives them from groups: all their bytes side by side, since there are several for
//! each leaf.
//!
//! Knows where each begins; does not know what it says, or the database.

/// A row of an index, which the caller has derived from a group. The store does not know its meaning.
///
/// Each `index`, `page` and `key` is given once: a row is a fact, and facts do not change. The pages of one index are
/// equally long, and within a page the keys rise from group to group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexRow<'a> {
    /// Which index.
    pub index: u8,
    /// Which page of it: the rows of a page that are applied together lie side by side, and cost little more than one.
    pub page: &'a [u8],
    /// The key within the page; rows are found by it, and ordered by it.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

/// Rows, in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

/// Where a row's parts lie, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    index: u8,
    page: usize,
    key: usize,
    value: usize,
    end: usize,
}

impl Rows {
    /// Adds a row.
    pub fn push(&mut self, row: IndexRow<'_>) {
        let IndexRow { index, page, key, value } = row;
        let mut put = |part: &[u8]| {
            let at = self.bytes.len();
            self.bytes.extend_from_slice(part);
            at
        };
        let [page, key, value] = [page, key, value].map(&mut put);
        self.spans.push(Span { index, page, key, value, end: self.bytes.len() });
    }

    /// Takes all out; the room for them stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// Returns each row, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = IndexRow<'_>> {
        self.spans.iter().map(|span| self.row(span))
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    fn row(&self, span: &Span) -> IndexRow<'_> {
        IndexRow {
            index: span.index,
            page: &self.bytes[span.page..span.key],
            key: &self.bytes[span.key..span.value],
            value: &self.bytes[span.value..span.end],
        }
    }
}

impl<'a> FromIterator<IndexRow<'a>> for Rows {
    fn from_iter<T: IntoIterator<Item = IndexRow<'a>>>(rows: T) -> Rows {
        let mut all = Rows::default();
        rows.into_iter().for_each(|row| all.push(row));
        all
    }
}
