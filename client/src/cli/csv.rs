//! A document as rows for spreadsheets: RFC 4180, with the names of its fields as headings.
//!
//! Knows JSON; does not know what a document is about. A list gives a row for each of its items, and a document
//! without lists one row. Where there are several lists, the column `list` says of which a row is.

use serde_json::{Map, Value};

/// Returns a document's rows, under their headings; nothing where its lists are empty.
pub fn rows(document: &Value) -> String {
    let Value::Object(parts) = document else { return line([document_text(document)]) };
    let lists: Vec<(&String, &Vec<Value>)> =
        parts.iter().filter_map(|(name, part)| Some((name, part.as_array()?))).collect();
    let mut rows: Vec<Map<String, Value>> = Vec::new();
    if lists.is_empty() {
        // A document that is about one thing has it under that thing's name.
        let only = parts.values().next().filter(|_| parts.len() == 1);
        rows.push(flat(only.filter(|it| it.is_object()).unwrap_or(document)));
    }
    for (name, items) in &lists {
        for item in *items {
            let mut row = Map::new();
            if lists.len() > 1 {
                row.insert("list".to_owned(), Value::String((*name).clone()));
            }
            row.append(&mut flat(item));
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let mut headings: Vec<String> = if lists.len() > 1 { vec!["list".to_owned()] } else { Vec::new() };
    for row in &rows {
        headings.extend(row.keys().filter(|name| !headings.contains(name)).cloned().collect::<Vec<_>>());
    }
    let cells = |row: &Map<String, Value>| {
        line(headings.iter().map(|name| row.get(name).map(document_text).unwrap_or_default()))
    };
    let body: String = rows.iter().map(cells).collect();
    line(headings.iter().cloned()) + &body
}

/// Returns an item's fields; those of a field of it stand under both names, with a point between.
fn flat(item: &Value) -> Map<String, Value> {
    let Value::Object(fields) = item else {
        return Map::from_iter([("value".to_owned(), item.clone())]);
    };
    let mut row = Map::new();
    for (name, value) in fields {
        match value {
            Value::Object(_) => {
                row.extend(flat(value).into_iter().map(|(inner, value)| (format!("{name}.{inner}"), value)));
            }
            value => {
                row.insert(name.clone(), value.clone());
            }
        }
    }
    row
}

/// Returns a value as a cell has it.
pub fn document_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Returns a row of such cells.
pub fn line(cells: impl IntoIterator<Item = String>) -> String {
    let quoted = |cell: String| {
        let is_plain = !cell.contains([',', '"', '\n', '\r']);
        if is_plain { cell } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
    };
    cells.into_iter().map(quoted).collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_gives_a_row_an_item_and_fields_within_fields_have_both_names() {
        let document = json!({ "trades": [
            { "id": 1, "delivery": { "wh": 5 }, "note": "a, \"b\"" },
            { "id": 2, "delivery": null, "more": true },
        ] });
        let rows = rows(&document);
        let lines: Vec<_> = rows.lines().collect();
        assert_eq!(lines[0], "delivery.wh,id,note,delivery,more");
        assert_eq!(lines[1], "5,1,\"a, \"\"b\"\"\",,");
        assert_eq!(lines[2], ",2,,,true");
    }

    #[test]
    fn several_lists_say_which_and_one_thing_is_one_row() {
        let document = json!({ "slot": 7, "bids": [{ "wh": 1 }], "offers": [{ "wh": 2 }] });
        assert_eq!(rows(&document), "list,wh\nbids,1\noffers,2\n");
        assert_eq!(rows(&json!({ "account": { "name": "mill", "wh": 3 } })), "name,wh\nmill,3\n");
        assert_eq!(rows(&json!({ "slot": 7, "bids": [], "offers": [] })), "");
        assert_eq!(rows(&json!({ "enrolled": null, "line": "x" })), "enrolled,line\n,x\n");
    }
}
