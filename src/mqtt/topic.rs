//! Topic names and topic filters: which are legal, and which match (MQTT 3.1.1 §4.7; 3.1 appendix A says the same).

/// Longest string MQTT can carry.
const MAX_STRING: usize = 65_535;

/// Whether a message may be published here: not empty, no wildcard, no NUL, at most 65535 bytes.
pub fn valid_topic(topic: &str) -> bool {
    !topic.is_empty() && topic.len() <= MAX_STRING && !topic.contains(['+', '#', '\0'])
}

/// Whether this may be subscribed to: `+` alone in its level, `#` alone in the last.
pub fn valid_filter(filter: &str) -> bool {
    if filter.is_empty() || filter.len() > MAX_STRING || filter.contains('\0') {
        return false;
    }
    let last = filter.split('/').count() - 1;
    filter.split('/').enumerate().all(|(index, level)| match level {
        "+" => true,
        "#" => index == last,
        other => !other.contains(['+', '#']),
    })
}

/// Whether a message for `topic` goes to a subscriber of `filter`. A leading wildcard does not reach `$` topics.
pub fn filter_matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut wanted = filter.split('/');
    let mut levels = topic.split('/');
    loop {
        match (wanted.next(), levels.next()) {
            (Some("#"), _) => return true, // "a/#" matches "a" too: §4.7.1.2
            (Some("+"), Some(_)) => {}
            (Some(want), Some(level)) if want == level => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_the_standard_says() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("+", "/finance", false),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "a/b", true),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("a/+/c", "a//c", true),
            ("A", "a", false),
        ] {
            assert_eq!(expected, filter_matches(filter, topic), "{filter} {topic}");
        }
    }

    #[test]
    fn illegal_names_and_filters_are_refused() {
        for filter in ["", "a#", "a/#/b", "a+", "+a/b", "##", "a\0"] {
            assert!(!valid_filter(filter), "{filter:?}");
        }
        for filter in ["#", "+", "a/+/b/#", "/", "$SYS/+"] {
            assert!(valid_filter(filter), "{filter:?}");
        }
        for topic in ["", "a/+", "#", "a\0b"] {
            assert!(!valid_topic(topic), "{topic:?}");
        }
        assert!(valid_topic(&"x".repeat(65_535)));
        assert!(!valid_topic(&"x".repeat(65_536)));
    }
}
