//! Keyed hashes as the platforms write them.

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;

/// A keyed hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// HMAC-MD5
    Md5,
    /// HMAC-SHA1
    Sha1,
    /// HMAC-SHA256
    #[default]
    Sha256,
}

impl Method {
    /// `md5`, `sha1`, `sha256`.
    pub const NAMES: [(&'static str, Method); 3] =
        [("md5", Method::Md5), ("sha1", Method::Sha1), ("sha256", Method::Sha256)];

    /// By its name.
    pub fn named(name: &str) -> Option<Method> {
        Method::NAMES.iter().find(|(known, _)| *known == name).map(|(_, method)| *method)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Method::Md5 => "md5",
            Method::Sha1 => "sha1",
            Method::Sha256 => "sha256",
        }
    }

    /// The hash of a message under a key.
    pub fn sign(self, key: &[u8], message: &str) -> Vec<u8> {
        // A key of any length will do, so none is refused.
        macro_rules! hash {
            ($digest:ty) => {
                Hmac::<$digest>::new_from_slice(key)
                    .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec())
                    .unwrap_or_default()
            };
        }
        match self {
            Method::Md5 => hash!(Md5),
            Method::Sha1 => hash!(Sha1),
            Method::Sha256 => hash!(Sha256),
        }
    }

    /// Whether this is the hash of the message; takes as long whatever is wrong with it.
    pub fn verify(self, key: &[u8], message: &str, hash: &[u8]) -> bool {
        macro_rules! verify {
            ($digest:ty) => {
                Hmac::<$digest>::new_from_slice(key)
                    .is_ok_and(|mac| mac.chain_update(message).verify_slice(hash).is_ok())
            };
        }
        match self {
            Method::Md5 => verify!(Md5),
            Method::Sha1 => verify!(Sha1),
            Method::Sha256 => verify!(Sha256),
        }
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hexadecimal digits of either case as bytes.
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.as_bytes().chunks(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_rfc_2202_and_rfc_4231_case_2() {
        let hash = |method: Method| hex(&method.sign(b"Jefe", "what do ya want for nothing?"));
        assert_eq!("750c783e6ab0b503eaa86e310a5db738", hash(Method::Md5));
        assert_eq!("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", hash(Method::Sha1));
        assert_eq!("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", hash(Method::Sha256));
    }

    #[test]
    fn digits_of_either_case_are_read_and_nothing_else() {
        assert_eq!(Some(vec![0xab, 0x0c]), unhex("aB0C"));
        for wrong in ["a", "0g", "é0"] {
            assert_eq!(None, unhex(wrong), "{wrong}");
        }
    }
}
