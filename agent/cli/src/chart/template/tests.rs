use rstest::rstest;
use serde_json::json;

use super::*;

fn render(text: &str) -> Result<String, TemplateError> {
    let templates = Templates::read([("t", text)], BTreeMap::from([("files/a", "A weir-system")])).unwrap();
    let root = json!({
        "Values": {"name": "n", "zero": 0, "five": 5, "no": false, "none": null, "list": ["a", "b"], "map": {"k": "v", "j": {"x": 1}}, "empty": {}},
        "Release": {"Namespace": "ns"},
        "Capabilities": {"APIVersions": ["v1"]},
    });
    templates.render(&root).map(|all| all[0].1.clone())
}

#[rstest]
#[case::field("{{ .Values.name }}", "n")]
#[case::nothing("{{ .Values.missing }}", "")]
#[case::if_else("{{ if .Values.no }}a{{ else if .Values.zero }}b{{ else }}c{{ end }}", "c")]
#[case::with("{{ with .Values.map }}{{ .k }}{{ $.Release.Namespace }}{{ end }}", "vns")]
#[case::without("{{ with .Values.empty }}a{{ else }}b{{ .Values.name }}{{ end }}", "bn")]
#[case::range("{{ range .Values.list }}{{ . }},{{ end }}", "a,b,")]
#[case::range_keys("{{ range $k, $v := .Values.map }}{{ $k }};{{ end }}", "j;k;")]
#[case::range_index("{{ range $i, $v := .Values.list }}{{ $i }}{{ $v }}{{ end }}", "0a1b")]
#[case::range_of_nothing("{{ range .Values.none }}a{{ else }}b{{ end }}", "b")]
#[case::variable(
    "{{ $x := .Values.five }}{{ $x }}{{ if true }}{{ $x := 6 }}{{ $x }}{{ end }}{{ $x }}",
    "565"
)]
#[case::pipe("{{ .Values.missing | default \"d\" | quote }}", "\"d\"")]
#[case::brackets("{{ if and (eq .Values.name \"n\") (not .Values.no) }}y{{ end }}", "y")]
#[case::or_gives_the_value("{{ or .Values.no .Values.name }}", "n")]
#[case::compare("{{ if gt (int .Values.five) 4 }}y{{ end }}{{ if ne .Values.five 5 }}n{{ end }}", "y")]
#[case::join("{{ join \",\" .Values.list }}", "a,b")]
#[case::printf("{{ printf \"--%s=%v\" .Values.name .Values.five | quote }}", "\"--n=5\"")]
#[case::include("{{ define \"d\" }}<{{ .k }}>{{ end }}{{ include \"d\" .Values.map | indent 2 }}", "  <v>")]
#[case::yaml("x:{{ toYaml .Values.map | nindent 2 }}", "x:\n  j:\n    x: 1\n  k: v")]
#[case::empty_yaml("{{ toYaml .Values.empty }}", "{}")]
#[case::file("{{ .Files.Get \"files/a\" | replace \"weir-system\" .Release.Namespace }}", "A ns")]
#[case::has(
    "{{ .Capabilities.APIVersions.Has \"v1\" }}{{ .Capabilities.APIVersions.Has \"v2\" }}",
    "truefalse"
)]
#[case::remark("a{{/* b */}}c", "ac")]
fn as_helm_does(#[case] template: &str, #[case] expected: &str) {
    assert_eq!(render(template).unwrap(), expected);
}

#[rstest]
#[case::function("{{ lookup \"a\" }}", "lookup: is not known here with (\"a\")")]
#[case::deep("{{ .Values.none.a.b }}", ".Values.none.a.b: there is no none")]
#[case::variable("{{ $x }}", "$x was not declared")]
#[case::file("{{ .Files.Get \"b\" }}", "the chart has no file b")]
#[case::asked("{{ .Values.name \"a\" }}", ".Values.name cannot be asked")]
#[case::endless(
    "{{ define \"d\" }}{{ include \"d\" . }}{{ end }}{{ include \"d\" . }}",
    "templates include one another without end"
)]
#[case::said("{{ fail \"no\" }}", "fail: no")]
fn what_it_does_not_know_it_refuses(#[case] template: &str, #[case] why: &str) {
    assert_eq!(render(template).unwrap_err().why, why);
}

#[rstest]
#[case("{{ if .a }}", "an if without its end")]
#[case("{{ end }}", "an end of nothing")]
#[case("{{ range .a }}{{ else }}", "a block without its end")]
#[case("{{ (.a }}", "a bracket is not closed")]
#[case("{{ .a) }}", "a bracket closes that was not opened")]
#[case("{{ }}", "nothing where a value is wanted")]
#[case("{{ .a | }}", "nothing where a value is wanted")]
fn what_is_no_template_is_refused_when_it_is_read(#[case] template: &str, #[case] why: &str) {
    assert_eq!(Templates::read([("t", template)], BTreeMap::new()).unwrap_err().why, why);
}
