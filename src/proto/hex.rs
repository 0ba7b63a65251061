//! Payloads as hexadecimal digits (QMTCFG "send/mode" and "dataformat"): pairs of digits, upper case when written, either case
//! when read (decision 34). Both ends use it.

/// Two upper-case digits for each byte.
pub fn to_hex(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)]).collect()
}

/// The bytes of digits in either case; `None` where there is an odd or a wrong one.
pub fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    digits.chunks(2).map(|pair| Some((value(pair[0])? * 16 + value(pair[1])?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_upper_case_pairs_and_come_back_from_either_case() {
        assert_eq!(b"000AFF".to_vec(), to_hex(&[0, 10, 255]));
        assert_eq!(Some(vec![0, 10, 255]), from_hex(b"000aFf"));
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(Some(all.clone()), from_hex(&to_hex(&all)));
        for wrong in [&b"0"[..], b"0G", b"00 ", b"\xff\xff"] {
            assert_eq!(None, from_hex(wrong));
        }
    }
}
