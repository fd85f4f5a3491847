//! Numbers as people read them.

/// Three figures that count, and no more.
pub(in crate::bench) fn human(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => thousands(value.round() as i64),
        size if size >= 100.0 || value == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        size if size >= 0.01 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

fn thousands(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let cases = [
            (204_000.4, "204,000"),
            (1234.0, "1,234"),
            (123.4, "123"),
            (65.52, "65.5"),
            (5.5, "5.50"),
            (0.0202, "0.020"),
            (0.0012, "0.0012"),
            (0.0, "0"),
            (-1500.0, "-1,500"),
        ];
        for (value, want) in cases {
            assert_eq!(human(value), want);
        }
    }
}
