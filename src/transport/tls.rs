//! TLS settings: what a module checks of a server, and what a bench broker asks of a client. Not the bytes: `net` has them.
//!
//! A module's checks are weaker than a browser's, and that is the point: none, the chain only, or the chain with a
//! certificate of its own; never the host name unless asked; by a clock that may be wrong. Limits of this stand-in: keys
//! below 2048 bits RSA, P-521 and X.509 v1 fail at every level, and TLS 1.2 has no CBC or plain-RSA suites.

use std::fmt;
use std::sync::Arc;

use rustls::CertificateError;
use rustls::ClientConfig;
use rustls::DigitallySignedStruct;
use rustls::Error;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::SignatureScheme;
use rustls::SupportedProtocolVersion;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::crypto::verify_tls12_signature;
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject;
use rustls::server::ParsedCertificate;
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::DefaultTimeProvider;
use rustls::time_provider::TimeProvider;

/// More certificates than any chain has: how often a date may be forgiven.
const MAX_CHAIN: usize = 16;

/// What a module checks of a server (`seclevel`, `authmode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verify {
    /// 0: nothing.
    #[default]
    Nothing,
    /// 1: that its certificate chain ends at the CA file.
    Server,
    /// 2: the same, and the module shows a certificate of its own.
    Mutual,
}

/// Which versions are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Versions {
    /// TLS 1.2: the newest the modules' parameter names, and a refused client certificate fails the handshake itself.
    #[default]
    Tls12,
    /// TLS 1.3 only.
    Tls13,
    /// Whichever both ends know.
    Tls12And13,
}

impl Versions {
    fn list(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];
        match self {
            Versions::Tls12 => &BOTH[..1],
            Versions::Tls13 => &BOTH[1..],
            Versions::Tls12And13 => &BOTH,
        }
    }
}

/// The clock certificates are judged by.
#[derive(Clone, Debug, Default)]
pub enum CertificateClock {
    /// This computer's.
    #[default]
    System,
    /// None: dates are not checked (`ignorelocaltime`).
    Ignored,
    /// One that stands still, in seconds since 1970: a module without network time stands in 1980.
    At(u64),
    /// The owner's.
    Own(Arc<dyn TimeProvider>),
}

/// Why settings make no TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsSettingsError {
    /// The level needs this and it was not given.
    Missing(&'static str),
    /// This holds nothing that can be used as what it is meant to be.
    Unusable(&'static str, String),
    /// The private key does not belong to the certificate.
    KeyMismatch,
    /// None of the suites asked for exists here.
    NoCipherSuite,
}

impl fmt::Display for TlsSettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsSettingsError::Missing(what) => write!(f, "no {what} is set"),
            TlsSettingsError::Unusable(what, why) => write!(f, "the {what} cannot be used: {why}"),
            TlsSettingsError::KeyMismatch => write!(f, "the private key does not belong to the certificate"),
            TlsSettingsError::NoCipherSuite => write!(f, "none of the cipher suites asked for is known"),
        }
    }
}

impl std::error::Error for TlsSettingsError {}

/// Whether a cipher suite, as numbered by IANA, can be spoken here.
pub fn knows_suite(number: u16) -> bool {
    ring::ALL_CIPHER_SUITES.iter().any(|suite| u16::from(suite.suite()) == number)
}

/// A module's TLS settings. Files are PEM, or one DER certificate.
#[derive(Clone, Debug, Default)]
pub struct ClientTls {
    /// What is checked.
    pub verify: Verify,
    /// Whether the host name is checked too; no documented level does.
    pub check_host_name: bool,
    /// The CA file.
    pub ca: Option<Vec<u8>>,
    /// The module's certificate.
    pub client_cert: Option<Vec<u8>>,
    /// Its private key.
    pub client_key: Option<Vec<u8>>,
    /// By which clock.
    pub clock: CertificateClock,
    /// Whether the server is told which name was asked for.
    pub sni: bool,
    /// Which versions.
    pub versions: Versions,
    /// Only these suites, as numbered by IANA; none: all known.
    pub cipher_suites: Option<Vec<u16>>,
    /// Application protocols offered.
    pub alpn: Vec<Vec<u8>>,
}

impl ClientTls {
    /// Checks everything that can be checked before connecting.
    pub fn build(&self) -> Result<Arc<ClientConfig>, TlsSettingsError> {
        let provider = Arc::new(self.provider()?);
        let verifier = Arc::new(ModuleVerifier {
            checks_chain: self.verify != Verify::Nothing,
            checks_name: self.check_host_name,
            forgives_dates: matches!(self.clock, CertificateClock::Ignored),
            trusted: match self.verify {
                Verify::Nothing => Vec::new(),
                _ => certificates(self.ca.as_deref(), "CA certificate")?,
            },
            provider: provider.clone(),
        });
        verifier.roots()?;
        let clock: Arc<dyn TimeProvider> = match &self.clock {
            CertificateClock::System | CertificateClock::Ignored => Arc::new(DefaultTimeProvider),
            CertificateClock::At(seconds) => Arc::new(StoppedClock(*seconds)),
            CertificateClock::Own(clock) => clock.clone(),
        };
        let builder = ClientConfig::builder_with_details(provider, clock)
            .with_protocol_versions(self.versions.list())
            .map_err(|_| TlsSettingsError::NoCipherSuite)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = if self.verify == Verify::Mutual || self.client_cert.is_some() {
            let chain = certificates(self.client_cert.as_deref(), "client certificate")?;
            let key = private_key(self.client_key.as_deref(), "client key")?;
            builder.with_client_auth_cert(chain, key).map_err(|error| key_error(&error, "client key"))?
        } else {
            builder.with_no_client_auth()
        };
        config.enable_sni = self.sni;
        config.alpn_protocols.clone_from(&self.alpn);
        // A module does a full handshake each time; a resumed session would skip the checks a test has just changed.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }

    fn provider(&self) -> Result<CryptoProvider, TlsSettingsError> {
        let mut provider = ring::default_provider();
        if let Some(wanted) = &self.cipher_suites {
            provider.cipher_suites.retain(|suite| wanted.contains(&u16::from(suite.suite())));
        }
        if provider.cipher_suites.is_empty() { Err(TlsSettingsError::NoCipherSuite) } else { Ok(provider) }
    }
}

/// A bench broker's TLS settings, all PEM.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// Its certificate chain.
    pub chain: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
    /// Who may sign clients' certificates; none: clients are not asked for one.
    pub client_ca: Option<Vec<u8>>,
    /// Whether a client without a certificate is refused.
    pub require_client_cert: bool,
    /// Which versions.
    pub versions: Versions,
    /// Application protocols agreed to.
    pub alpn: Vec<Vec<u8>>,
}

impl ServerTls {
    /// Checks the files and makes them one.
    pub fn build(&self) -> Result<Arc<ServerConfig>, TlsSettingsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(self.versions.list())
            .map_err(|_| TlsSettingsError::NoCipherSuite)?;
        let builder = if let Some(ca) = &self.client_ca {
            let roots = Arc::new(root_store(&certificates(Some(ca), "CA certificate")?)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = if self.require_client_cert { verifier } else { verifier.allow_unauthenticated() };
            let unusable = |error: &dyn fmt::Display| TlsSettingsError::Unusable("CA certificate", error.to_string());
            builder.with_client_cert_verifier(verifier.build().map_err(|error| unusable(&error))?)
        } else {
            builder.with_no_client_auth()
        };
        let chain = certificates(Some(&self.chain), "server certificate")?;
        let key = private_key(Some(&self.key), "server key")?;
        let mut config = builder.with_single_cert(chain, key).map_err(|error| key_error(&error, "server key"))?;
        config.alpn_protocols.clone_from(&self.alpn);
        Ok(Arc::new(config))
    }
}

#[derive(Debug)]
struct StoppedClock(u64);

impl TimeProvider for StoppedClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.0)))
    }
}

/// A module's idea of a good server.
#[derive(Debug)]
struct ModuleVerifier {
    checks_chain: bool,
    checks_name: bool,
    forgives_dates: bool,
    trusted: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ModuleVerifier {
    fn roots(&self) -> Result<RootCertStore, TlsSettingsError> {
        root_store(&self.trusted)
    }

    fn check_chain(
        &self,
        cert: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        mut now: UnixTime,
    ) -> Result<(), Error> {
        let roots = self.roots().map_err(|error| Error::General(error.to_string()))?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        for _ in 0..MAX_CHAIN {
            let outcome = verify_server_cert_signed_by_trust_anchor(cert, &roots, intermediates, now, algorithms);
            // A date that is wrong is not the end: the rest of the chain must still be right, on some day.
            now = match outcome {
                Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }))
                    if self.forgives_dates =>
                {
                    not_after
                }
                Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }))
                    if self.forgives_dates =>
                {
                    not_before
                }
                other => return other,
            };
        }
        Err(CertificateError::Expired.into())
    }
}

impl ServerCertVerifier for ModuleVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // A server's own certificate as CA file: many benches run like that, and modules take it.
        let pinned = self.trusted.iter().any(|trusted| trusted == end_entity);
        if self.checks_chain && !pinned {
            self.check_chain(&ParsedCertificate::try_from(end_entity)?, intermediates, now)?;
        }
        if self.checks_name {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn certificates(file: Option<&[u8]>, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsSettingsError> {
    let file = file.ok_or(TlsSettingsError::Missing(what))?;
    let unusable = |why: String| TlsSettingsError::Unusable(what, why);
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(file).collect::<Result<_, _>>().map_err(|error| unusable(error.to_string()))?;
    if !found.is_empty() {
        return Ok(found);
    }
    // A DER certificate begins with a SEQUENCE; anything else is no certificate at all.
    if file.first() == Some(&0x30) {
        return Ok(vec![CertificateDer::from(file.to_vec())]);
    }
    Err(unusable("it holds no certificate".to_owned()))
}

fn private_key(file: Option<&[u8]>, what: &'static str) -> Result<PrivateKeyDer<'static>, TlsSettingsError> {
    let file = file.ok_or(TlsSettingsError::Missing(what))?;
    PrivateKeyDer::from_pem_slice(file).map_err(|error| TlsSettingsError::Unusable(what, error.to_string()))
}

fn root_store(trusted: &[CertificateDer<'static>]) -> Result<RootCertStore, TlsSettingsError> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        let unusable = |error: Error| TlsSettingsError::Unusable("CA certificate", error.to_string());
        roots.add(certificate.clone()).map_err(unusable)?;
    }
    Ok(roots)
}

fn key_error(error: &Error, what: &'static str) -> TlsSettingsError {
    match error {
        Error::InconsistentKeys(_) => TlsSettingsError::KeyMismatch,
        other => TlsSettingsError::Unusable(what, other.to_string()),
    }
}
