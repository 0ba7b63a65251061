//! A certificate authority made on the spot, with one server and one client. Good for a bench, and for nothing else:
//! the keys are handed out.

use std::io;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::date_time_ymd;

/// What the certificates say.
#[derive(Clone, Debug)]
pub struct CertificateOptions {
    /// Names and addresses of the server.
    pub server_names: Vec<String>,
    /// Common name of the client.
    pub client_name: String,
    /// First day of the server's and the client's, year, month, day. Not before the dates of a module that has no network
    /// time, so that it shows.
    pub not_before: (i32, u8, u8),
    /// Last day.
    pub not_after: (i32, u8, u8),
}

impl Default for CertificateOptions {
    fn default() -> CertificateOptions {
        CertificateOptions {
            server_names: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
            client_name: "modemrig bench client".to_owned(),
            not_before: (2020, 1, 1),
            not_after: (2049, 12, 31),
        }
    }
}

/// PEM files: P-256 keys (PKCS#8) and certificates.
#[derive(Clone)]
pub struct Certificates {
    /// The authority both ends trust.
    pub ca_pem: String,
    /// The broker's certificate.
    pub server_cert_pem: String,
    /// Its key.
    pub server_key_pem: String,
    /// A client's certificate.
    pub client_cert_pem: String,
    /// Its key.
    pub client_key_pem: String,
}

impl std::fmt::Debug for Certificates {
    /// The keys stay out of every log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("ca_pem", &self.ca_pem).finish_non_exhaustive()
    }
}

impl Certificates {
    /// Makes a new authority, a server for this computer's loopback names, and a client.
    pub fn generate() -> io::Result<Certificates> {
        Certificates::generate_with(&CertificateOptions::default())
    }

    /// The same with other names and dates.
    pub fn generate_with(options: &CertificateOptions) -> io::Result<Certificates> {
        make(options).map_err(io::Error::other)
    }
}

fn make(options: &CertificateOptions) -> Result<Certificates, rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::<String>::new())?;
    ca.distinguished_name.push(DnType::CommonName, "modemrig bench CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (ca.not_before, ca.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 12, 31));
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);

    let server_name = options.server_names.first().map_or("localhost", String::as_str);
    let (server_cert_pem, server_key_pem) =
        leaf(&issuer, options, server_name, options.server_names.clone(), ExtendedKeyUsagePurpose::ServerAuth)?;
    let (client_cert_pem, client_key_pem) =
        leaf(&issuer, options, &options.client_name, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth)?;
    Ok(Certificates { ca_pem, server_cert_pem, server_key_pem, client_cert_pem, client_key_pem })
}

fn leaf(
    issuer: &Issuer<'_, KeyPair>,
    options: &CertificateOptions,
    common_name: &str,
    names: Vec<String>,
    usage: ExtendedKeyUsagePurpose,
) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    let date = |(year, month, day)| date_time_ymd(year, month, day);
    (params.not_before, params.not_after) = (date(options.not_before), date(options.not_after));
    let certificate = params.signed_by(&key, issuer)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
