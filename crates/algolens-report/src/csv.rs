//! Tables as CSV, after RFC 4180.

/// Rows of cells as CSV. A cell with a comma, a quote or a break is quoted.
pub(crate) fn csv(rows: &[Vec<String>]) -> String {
    let cell = |text: &String| {
        if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.clone() }
    };
    rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_cell_is_quoted() {
        let rows = [["a", "b,c", "d\"e"], ["", "f\ng", "1"]].map(|row| row.map(String::from).to_vec());
        assert_eq!(csv(&rows), "a,\"b,c\",\"d\"\"e\"\r\n,\"f\ng\",1\r\n");
    }
}
