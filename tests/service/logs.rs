//! What a node logs, for people and for machines.

use serde_json::Value;

use super::market::Market;

/// Returns what a node has logged that was started and stopped with these settings.
async fn logged(toml: &str) -> String {
    let mut market = Market::found_with(toml).await;
    market.enrol_trader("ann").await;
    assert_eq!(market.node.stop().code(), Some(0));
    market.place.log()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_logs_for_machines_writes_an_object_a_line() {
    let log = logged("log_format = 'json'").await;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        for field in ["timestamp", "level", "message"] {
            assert!(line[field].is_string(), "{field} is missing: {line}");
        }
    }
    let opened = lines.iter().find(|line| line["message"] == "market opened").unwrap();
    assert_eq!((&opened["level"], &opened["leaves"]), (&"INFO".into(), &1.into()));
    assert!(lines.iter().any(|line| line["message"].as_str().unwrap().starts_with("stopped:")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_logs_for_people_where_nobody_says_otherwise() {
    let log = logged("").await;
    assert!(log.lines().any(|line| line.contains("INFO market opened leaves=1 ")), "{log}");
}
