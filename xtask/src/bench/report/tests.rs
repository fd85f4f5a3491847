//! The table and the JSON of the same measurements.

use super::super::metric::{BULK_1, BULK_1_CPU, HTTP_1_P50};
use super::*;

fn results() -> (Results, Vec<String>) {
    let mut results = Results::default();
    for (plane, metric, value) in [
        ("direct", BULK_1, 60.0),
        ("direct", HTTP_1_P50, 66.0),
        ("weir", BULK_1, 15.0),
        ("weir", BULK_1, 30.0),
        ("weir", BULK_1, 20.0),
        ("weir", BULK_1_CPU, 0.8),
        ("weir", HTTP_1_P50, 87.0),
    ] {
        results.add(plane, metric, value);
    }
    (results, ["direct", "weir"].map(str::to_owned).to_vec())
}

#[test]
fn the_table_compares_with_the_first_plane() {
    let (results, planes) = results();
    let table = results.table(&planes);
    for wanted in ["60.0", "20.0 (0.33)", "87.0 (+21)", "0.800"] {
        assert!(table.contains(wanted), "{wanted:?} is not in\n{table}");
    }
}

#[test]
fn the_json_says_the_same() {
    let (results, planes) = results();
    let conditions = Conditions {
        kernel: String::new(),
        processor: String::new(),
        cpus: 2,
        pinned: true,
        load_before: 0.0,
        rounds: 3,
        seconds_per_load: 3,
    };
    let json: serde_json::Value =
        serde_json::from_str(&results.json(&planes, &conditions, &[]).unwrap()).unwrap();
    let weir = &json["rows"][0]["values"]["weir"];
    assert_eq!(
        (weir["median"].as_f64(), weir["min"].as_f64(), weir["max"].as_f64()),
        (Some(20.0), Some(15.0), Some(30.0))
    );
    assert!((weir["compared"].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-9);
    assert_eq!(json["rows"][1]["values"]["weir"]["compared"].as_f64(), Some(21.0));
}
