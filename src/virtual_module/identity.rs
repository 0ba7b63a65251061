//! Who a virtual module says it is: maker, a model the document names, revision, serial numbers with valid check digits.

use crate::dialect::schema::Dialect;
use crate::dialect::schema::Family;

/// What a module says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `Quectel`
    pub manufacturer: String,
    /// `EC200U`
    pub model: String,
    /// `EC200UR01A01M08`
    pub revision: String,
    /// 15 digits, the last a check digit.
    pub imei: String,
    /// 15 digits.
    pub imsi: String,
    /// 20 digits, the last a check digit.
    pub iccid: String,
}

/// What a caller wants to be otherwise than made up from dialect and seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityOptions {
    /// 15 digits with a valid check digit.
    pub imei: Option<String>,
    /// One the document names, or any other name.
    pub model: Option<String>,
}

impl Identity {
    /// The identity of the module with this seed; the same seed gives the same one. The error says what is wrong with
    /// the wishes.
    pub fn new(dialect: &Dialect, wishes: &IdentityOptions, seed: u64) -> Result<Identity, String> {
        let imei = match &wishes.imei {
            Some(imei) if is_imei(imei) => imei.clone(),
            Some(imei) => return Err(format!("{imei} is no IMEI: 15 digits, the last of them a check digit")),
            // 86 is the reporting body of both makers; the test digits 0 0 keep it apart from real ones.
            None => checked(&format!("8600{:010}", spread(seed) % 10_000_000_000)),
        };
        let named = dialect.modules.first().map(|row| row.model.as_str()).unwrap_or("MODULE");
        let model = wishes.model.clone().unwrap_or_else(|| spoken(named));
        let manufacturer = match dialect.family {
            Family::Qmt => "Quectel",
            Family::Cmqtt => "SIMCOM INCORPORATED",
        };
        let revision = match dialect.family {
            Family::Qmt => format!("{}R01A01M08", model.replace('-', "")),
            Family::Cmqtt => format!("2110B01{}", model.replace('-', "")),
        };
        Ok(Identity {
            manufacturer: manufacturer.into(),
            model,
            revision,
            imei,
            // 001-01 is the test network of 3GPP TS 23.122.
            imsi: format!("00101{:010}", spread(seed ^ 1) % 10_000_000_000),
            iccid: checked(&format!("898600{:013}", spread(seed ^ 2) % 10_000_000_000_000)),
        })
    }

    /// The lines of `ATI`.
    pub fn lines(&self, family: Family) -> Vec<String> {
        match family {
            Family::Qmt => vec![self.manufacturer.clone(), self.model.clone(), format!("Revision: {}", self.revision)],
            Family::Cmqtt => vec![
                format!("Manufacturer: {}", self.manufacturer),
                format!("Model: {}", self.model),
                format!("Revision: {}", self.revision),
                format!("IMEI: {}", self.imei),
            ],
        }
    }
}

/// A document's `EC200U Series` as a module says it: `EC200U`.
fn spoken(model: &str) -> String {
    model.trim().trim_end_matches("Series").trim().to_string()
}

/// Neighbouring seeds give numbers far apart (the finaliser of SplitMix64).
fn spread(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The digits and their check digit (Luhn; 3GPP TS 23.003 annex B).
fn checked(digits: &str) -> String {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(index, byte)| {
            let digit = u32::from(byte - b'0');
            let doubled = digit * 2;
            if index % 2 == 0 { doubled / 10 + doubled % 10 } else { digit }
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

fn is_imei(text: &str) -> bool {
    text.len() == 15 && text.bytes().all(|b| b.is_ascii_digit()) && checked(&text[..14]) == text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::catalogue;

    #[test]
    fn every_seed_has_an_imei_of_its_own_with_a_valid_check_digit() {
        let dialect = catalogue().get("ecx00u_egx00u").expect("is built in");
        let imei = |seed| Identity::new(dialect, &IdentityOptions::default(), seed).expect("no wishes").imei;
        assert!(is_imei(&imei(0)) && is_imei(&imei(1)));
        assert_ne!(imei(0), imei(1));
        assert_eq!(imei(7), imei(7));
    }

    #[test]
    fn check_digit_is_that_of_the_standard() {
        // Example of 3GPP TS 23.003 annex B.
        assert_eq!("260531793113837", checked("26053179311383"));
        assert!(!is_imei("260531793113830"));
    }

    #[test]
    fn every_virtual_module_is_detected_as_its_own_dialect() {
        for dialect in catalogue().dialects() {
            let identity = Identity::new(dialect, &IdentityOptions::default(), 0).expect("no wishes");
            let lines = identity.lines(dialect.family);
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let found = catalogue().detect(&lines);
            assert_eq!(Some(dialect.id.as_str()), found.dialect.map(|d| d.id.as_str()), "{lines:?}");
        }
    }
}
