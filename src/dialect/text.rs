//! Text for a terminal of 100 columns: wrapped paragraphs and two-column lists. Driven by `reference.rs`.

/// Columns of a page.
pub(crate) const WIDTH: usize = 100;

/// Words in lines of at most [`WIDTH`] columns; the first line behind `first`, the others as far in.
pub(crate) fn wrap(first: &str, text: &str) -> String {
    hang(first, first.chars().count(), text)
}

/// The same with the following lines `indent` columns in.
pub(crate) fn hang(first: &str, indent: usize, text: &str) -> String {
    let mut out = String::from(first);
    let mut column = first.chars().count();
    let mut line_is_empty = true;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if !line_is_empty && column + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
            line_is_empty = true;
        }
        if !line_is_empty {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
        line_is_empty = false;
    }
    format!("{}\n", out.trim_end())
}

/// A line that may break behind a comma: syntax, replies.
pub(crate) fn syntax(first: &str, text: &str) -> String {
    let indent = first.chars().count() + 4;
    let mut out = String::from(first);
    let mut column = first.chars().count();
    for piece in text.split_inclusive(',') {
        let length = piece.chars().count();
        if column + length > WIDTH && column > indent {
            out = format!("{}\n{}", out.trim_end(), " ".repeat(indent));
            column = indent;
        }
        out.push_str(piece);
        column += length;
    }
    format!("{}\n", out.trim_end())
}

/// Left column as wide as its widest entry, right column wrapped.
pub(crate) fn columns(indent: usize, rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(left, _)| left.chars().count()).max().unwrap_or(0).min(28);
    let margin = " ".repeat(indent);
    rows.iter().map(|(left, right)| hang(&format!("{margin}{left:<width$}  "), indent + width + 2, right)).collect()
}

/// Text on the left and text on the right of one line; below each other where they do not fit.
pub(crate) fn apart(left: &str, right: &str) -> String {
    let used = left.chars().count() + right.chars().count();
    if used + 2 > WIDTH {
        return format!("{}{right:>WIDTH$}\n", wrap("", left));
    }
    format!("{left}{}{right}\n", " ".repeat(WIDTH - used))
}

/// A title with a rule below it.
pub(crate) fn heading(text: &str, rule: char) -> String {
    format!("{text}\n{}\n", rule.to_string().repeat(text.chars().count().min(WIDTH)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_wrapped_under_its_beginning() {
        let text = "word ".repeat(40);
        let wrapped = wrap("  - ", &text);
        assert!(wrapped.lines().all(|l| l.chars().count() <= WIDTH), "{wrapped}");
        assert!(wrapped.lines().skip(1).all(|l| l.starts_with("    word")), "{wrapped}");
        assert_eq!(40, wrapped.matches("word").count());
    }

    #[test]
    fn right_column_stays_right_of_the_left() {
        let rows = [("a".to_string(), "one".to_string()), ("long".to_string(), "x ".repeat(60))];
        let text = columns(2, &rows);
        assert!(text.starts_with("  a     one\n  long  x x"), "{text}");
        assert!(text.lines().skip(2).all(|l| l.starts_with("        x")), "{text}");
    }
}
