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
    /// The firmware.
    pub revision: Option<String>,
    /// 6 to 15 digits.
    pub imsi: Option<String>,
    /// 19 or 20 digits, the last a check digit.
    pub iccid: Option<String>,
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
        for (name, text) in [("model", &wishes.model), ("revision", &wishes.revision)] {
            if let Some(text) = text
                && (text.is_empty() || !text.chars().all(|c| (' '..='~').contains(&c)))
            {
                return Err(format!("a {name} is printable ASCII, not {text:?}"));
            }
        }
        let plain = model.replace('-', "");
        let revision = wishes.revision.clone().unwrap_or_else(|| match dialect.family {
            Family::Qmt => format!("{plain}R01A01M08"),
            Family::Cmqtt => format!("2110B01{plain}"),
        });
        let imsi = match &wishes.imsi {
            Some(imsi) if (6..=15).contains(&imsi.len()) && is_digits(imsi) => imsi.clone(),
            Some(imsi) => return Err(format!("{imsi} is no IMSI: 6 to 15 digits")),
            // 001-01 is the test network of 3GPP TS 23.122.
            None => format!("00101{:010}", spread(seed ^ 1) % 10_000_000_000),
        };
        let iccid = match &wishes.iccid {
            Some(iccid) if is_iccid(iccid) => iccid.clone(),
            Some(iccid) => return Err(format!("{iccid} is no ICCID: 19 or 20 digits, the last of them a check digit")),
            None => checked(&format!("898600{:013}", spread(seed ^ 2) % 10_000_000_000_000)),
        };
        Ok(Identity { manufacturer: manufacturer.into(), model, revision, imei, imsi, iccid })
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
    text.len() == 15 && is_digits(text) && checked(&text[..14]) == text
}

fn is_iccid(text: &str) -> bool {
    matches!(text.len(), 19 | 20) && is_digits(text) && checked(&text[..text.len() - 1]) == text
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
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
    fn wishes_are_taken_or_refused_with_what_is_wrong() {
        let dialect = catalogue().get("sim7028").expect("is built in");
        let some = |text: &str| Some(text.to_owned());
        let wishes = IdentityOptions {
            imei: some("260531793113837"),
            model: some("SIM7028-X"),
            revision: some("V9"),
            imsi: some("001010000000001"),
            iccid: some(&checked("8986001234567890123")),
        };
        let identity = Identity::new(dialect, &wishes, 0).expect("all well-formed");
        assert_eq!((Some(identity.imei), Some(identity.model)), (wishes.imei.clone(), wishes.model.clone()));
        assert_eq!((Some(identity.revision), Some(identity.imsi)), (wishes.revision.clone(), wishes.imsi.clone()));
        assert_eq!(Some(identity.iccid), wishes.iccid);
        for wrong in [
            IdentityOptions { imei: some("260531793113830"), ..IdentityOptions::default() },
            IdentityOptions { model: some(""), ..IdentityOptions::default() },
            IdentityOptions { revision: some("a\rb"), ..IdentityOptions::default() },
            IdentityOptions { imsi: some("12345"), ..IdentityOptions::default() },
            IdentityOptions { iccid: some("89860012345678901230"), ..IdentityOptions::default() },
        ] {
            let told = Identity::new(dialect, &wrong, 0).expect_err("malformed");
            assert!(!told.contains("Some"), "it is for people: {told}");
        }
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
