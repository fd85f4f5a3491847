//! Texts as people write them, and worse.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::{YamlProblem, documents, locate};

fn read(text: &str) -> Vec<Result<(usize, Value), (usize, usize)>> {
    documents(text).map(|document| document.map_err(|problem| (problem.line, problem.column))).collect()
}

#[rstest]
#[case::nothing("", &[])]
#[case::comment("# nothing\n", &[])]
#[case::markers("---\n---\n\n--- # here\n...\n", &[])]
#[case::one("a: 1\n", &[(1, json!({"a": 1}))])]
#[case::no_newline("a: 1", &[(1, json!({"a": 1}))])]
#[case::leading("---\n# x\n\na: 1\n", &[(4, json!({"a": 1}))])]
#[case::two("a: 1\n---\nb: 2\n", &[(1, json!({"a": 1})), (3, json!({"b": 2}))])]
#[case::windows("a: 1\r\n---\r\nb: 2\r\n", &[(1, json!({"a": 1})), (3, json!({"b": 2}))])]
#[case::byte_order_mark("\u{feff}a: 1\n", &[(1, json!({"a": 1}))])]
#[case::directive("%YAML 1.2\n---\na: 1\n", &[(3, json!({"a": 1}))])]
#[case::content_at_marker("a: 1\n--- {b: 2}\n---\nc: 3", &[(1, json!({"a": 1})), (2, json!({"b": 2})), (4, json!({"c": 3}))])]
#[case::dashes_in_a_text("a: |\n  x\n  ---\n  y\n---\nb: 2\n", &[(1, json!({"a": "x\n---\ny\n"})), (6, json!({"b": 2}))])]
#[case::not_a_marker("----: 1\n---x: 2\n", &[(1, json!({"----": 1, "---x": 2}))])]
#[case::null("null\n---\na: 1", &[(3, json!({"a": 1}))])]
#[case::json("{\n\t\"a\": 1}", &[(1, json!({"a": 1}))])]
#[case::flow("{a: 1}", &[(1, json!({"a": 1}))])]
#[case::number_as_name("80: a", &[(1, json!({"80": "a"}))])]
#[case::alias("a: &x {b: 1}\nc: *x\n", &[(1, json!({"a": {"b": 1}, "c": {"b": 1}}))])]
fn objects_and_their_lines(#[case] text: &str, #[case] objects: &[(usize, Value)]) {
    let read: Vec<_> = read(text).into_iter().map(Result::unwrap).collect();
    assert_eq!(read, objects);
}

#[rstest]
#[case::no("no", json!("no"))]
#[case::on("on", json!("on"))]
#[case::truth("true", json!(true))]
#[case::octal("017", json!(15))]
#[case::quoted("\"1\"", json!("1"))]
#[case::tilde("~", json!(null))]
#[case::version("1.10", json!(1.1))]
#[case::long("1.2.3", json!("1.2.3"))]
#[case::time("2026-01-01T00:00:00Z", json!("2026-01-01T00:00:00Z"))]
fn values(#[case] text: &str, #[case] value: Value) {
    assert_eq!(read(&format!("a: {text}")), [Ok((1, json!({ "a": value })))]);
}

/// Which of the two would hold is not for the reader to guess.
#[rstest]
#[case::yaml("a: {b: 1}\na: {}", (2, 1))]
#[case::json(r#"{"a": {"b": 1, "b": 2}}"#, (1, 16))]
#[case::json_with_tabs("{\"a\": 1,\t\"a\": 2}", (1, 10))]
#[case::number_and_text("a: {80: 1, \"80\": 2}", (1, 4))]
fn a_field_is_said_once(#[case] text: &str, #[case] place: (usize, usize)) {
    let read = read(text);
    assert_eq!(read.len(), 1);
    assert_eq!(read[0], Err(place));
}

#[test]
fn a_bad_document_says_nothing_about_the_others() {
    let read = read("a: 1\n---\nb: [1,\nc: }\n---\n- d\n---\ne: 5\n---\nf: 1\nf: 2\n");
    let [first, second, third, fourth, fifth] = &*read else { panic!("{read:?}") };
    assert_eq!(*first, Ok((1, json!({"a": 1}))));
    assert_eq!(second.as_ref().unwrap_err().0, 3);
    assert_eq!(*third, Err((6, 1)));
    assert_eq!(*fourth, Ok((8, json!({"e": 5}))));
    assert_eq!(*fifth, Err((11, 1)));
}

#[test]
fn items_of_a_list_come_one_by_one() {
    let text = "# c\napiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  a: 1\n- b: 2\n\n- 7\n---\napiVersion: v1\nkind: PodList\nitems:\n- metadata: {}\n- kind: Other\n";
    let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {}});
    let other = json!({"kind": "Other", "apiVersion": "v1"});
    let expected = [
        Ok((5, json!({"kind": "Pod", "a": 1}))),
        Ok((7, json!({"b": 2}))),
        Err((9, 1)),
        Ok((14, pod)),
        Ok((15, other)),
    ];
    assert_eq!(read(text), expected);
    assert_eq!(read("kind: ShoppingList\nthings: []\n").len(), 1);
    assert_eq!(read("kind: List\nitems: []\n").len(), 0);
}

#[rstest]
#[case::field(2, "spec.ports[1].port", (8, 11))]
#[case::missing(2, "spec.ports[1].name", (8, 5))]
#[case::whole(2, "", (2, 1))]
#[case::label(2, "metadata.labels[a.b/c]", (4, 19))]
#[case::second(11, "b", (11, 4))]
#[case::item(15, "d", (15, 6))]
#[case::next_item(17, "f.g", (18, 8))]
fn places(#[case] line: usize, #[case] field: &str, #[case] place: (usize, usize)) {
    let text = "---\na: 1\nmetadata:\n  labels: {a.b/c: 7}\nspec:\n  ports:\n  - port: 1\n  - port: 2\n---\n\nb: 5\n---\nkind: List\nitems:\n- d: 1\n  e: 2\n- f:\n    g: 1\n";
    assert_eq!(locate(text, line, field), Some(place));
}

#[test]
fn json_with_tabs_has_the_place_of_its_document() {
    assert_eq!(locate("\n{\n\t\"a\": 1,\n\t\"a\": 2}", 2, "a"), Some((2, 1)));
}

#[test]
fn nothing_is_nowhere() {
    assert_eq!(locate("", 1, "a"), None);
    assert_eq!(locate("# only a comment", 1, "a"), None);
}

#[test]
fn bombs_are_refused() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let last = n - 1;
        laughs += &format!(
            "a{n}: &a{n} [*a{last}, *a{last}, *a{last}, *a{last}, *a{last}, *a{last}, *a{last}, *a{last}]\n"
        );
    }
    let deep = format!("a: {}", "[".repeat(200_000));
    for text in [laughs, deep] {
        let problem: YamlProblem = documents(&text).next().unwrap().unwrap_err();
        assert!(problem.to_string().len() < 500, "{problem}");
    }
}

proptest! {
    #[test]
    fn any_text_is_objects_or_problems(text in "([a-c]: |- |\\[|\\{|\\}|---|\n|  |kind: List\n|items:\n|&a |\\*a|\"|#|'|\\||1|\t|\r\n){0,40}") {
        let lines = text.lines().count().max(1);
        for document in documents(&text) {
            match document {
                Ok((line, value)) => {
                    prop_assert!((1..=lines).contains(&line), "line {line}");
                    prop_assert!(value.is_object());
                    prop_assert!(locate(&text, line, "a[0].b").is_some());
                }
                Err(problem) => prop_assert!(problem.line >= 1 && problem.line <= lines + 1, "{problem}"),
            }
        }
    }
}

/// The bound on what a JSON text becomes in memory, found without parsing it.
#[test]
fn values_of_json_are_not_counted_too_low() {
    for text in [r#"{"a": [0,0,{"b": []},""], "c": {}}"#, "{}", r#"{"a": 1, "b,": "[{"}"#] {
        let value: Value = serde_json::from_str(text).unwrap();
        assert!(super::most_values(text) >= count(&value), "{text}");
    }
    fn count(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
            Value::Object(fields) => 1 + fields.values().map(count).sum::<usize>(),
            _ => 1,
        }
    }
}
