#!/bin/sh
# Makes the files of this directory anew, with OpenSSL 3.0. README.md says what they are.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

: >"$tmp/index"
cat >"$tmp/config" <<END
[ca]
default_ca = bench
[bench]
database = $tmp/index
new_certs_dir = $tmp
rand_serial = yes
unique_subject = no
default_startdate = 20200101000000Z
default_enddate = 20991231235959Z
policy = any
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[leaf]
subjectAltName = DNS:localhost, DNS:broker.example, IP:127.0.0.1
extendedKeyUsage = serverAuth, clientAuth
END

# sign NAME KEY SUBJECT [OPTION...]: NAME.pem for this key, signed by the authority.
sign() {
    name=$1 key=$2 subject=$3
    shift 3
    openssl req -new -key "$key" -subj "/CN=$subject" -out "$tmp/request"
    openssl ca -batch -notext -config "$tmp/config" -keyfile "$tmp/ca.key" -in "$tmp/request" -out "$name.pem" "$@" 2>/dev/null
}
leaf="-cert ca.pem -extensions leaf -md"

openssl genrsa -out "$tmp/ca.key" 2048
sign ca "$tmp/ca.key" "modemrig test CA" -selfsign -extensions authority -md sha256

openssl genrsa -out rsa2048.key 2048
sign rsa2048 rsa2048.key broker.example $leaf sha256
sign sha1 rsa2048.key broker.example $leaf sha1
sign v1 rsa2048.key broker.example -cert ca.pem -md sha256
openssl genrsa -out rsa1024.key 1024
sign rsa1024 rsa1024.key broker.example $leaf sha256
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521.key
sign p521 p521.key broker.example $leaf sha256
openssl ecparam -name prime256v1 -genkey -noout -out p256.sec1.key
sign p256 p256.sec1.key broker.example $leaf sha256

openssl rsa -in rsa2048.key -traditional -out rsa2048.pkcs1.key 2>/dev/null
openssl pkcs8 -topk8 -in rsa2048.key -v2 aes-256-cbc -passout pass:modemrig -out rsa2048.encrypted.key
openssl rsa -in rsa2048.key -traditional -aes128 -passout pass:modemrig -out rsa2048.proc-type.key 2>/dev/null
chmod 644 ./*.key
