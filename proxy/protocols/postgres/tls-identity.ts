// Who the proxy is in TLS: its certificate and key as given or made, and whom it trusts. Made once for a proxy.
import { constants, createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { FaultlineError } from '../../errors.ts'
import { makeSelfSigned } from './tls-self-signed.ts'

/** Both in PEM, or neither. */
export interface IdentityOptions {
  /** The certificate; those that lead to its root may follow it. */
  readonly certificate?: string
  readonly key?: string
}

export interface TrustOptions extends IdentityOptions {
  /** Certificates in PEM that may sign the server's. `system`: the well-known ones that come with Node. */
  readonly ca?: string
}

/** What the proxy shows to clients. */
export interface TlsIdentity {
  readonly secureContext: SecureContext
  /** In PEM, for those who want to trust it. */
  readonly certificate: string
  /** True if none was given. */
  readonly selfSigned: boolean
}

const CERTIFICATE_PEM = 'a certificate in PEM (-----BEGIN CERTIFICATE-----)'
const KEY_PEM = 'an unencrypted private key in PEM (-----BEGIN PRIVATE KEY-----)'

/** As PostgreSQL sets them: a client can't start a second handshake, and sessions are not resumed. */
const SERVER_OPTIONS = constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET

/**
 * For the role `server`. Without a certificate one is made, which no client trusts by itself.
 *
 * @param prefix what the names of the fields begin with, for messages: with `tls` one is `tlsKey`
 * @throws FaultlineError `missing_field` for one without the other; `invalid_value` for what is not PEM, or for a key
 * of another certificate
 */
export function secureContextFor(options: IdentityOptions, prefix: string): TlsIdentity {
  const given = checkIdentity(options, prefix)
  const { certificate, key } = given ?? makeSelfSigned()
  const secureContext = build({ cert: certificate, key, secureOptions: SERVER_OPTIONS }, fieldOf(prefix, 'certificate'))
  return { secureContext, certificate, selfSigned: !given }
}

/**
 * For the role `client`; the certificate, if any, is shown to a server that asks for it. Without `ca` nobody is trusted:
 * enough for `verify: 'none'`.
 *
 * @param prefix what the names of the fields begin with, for messages: with `tls` one is `tlsKey`
 * @throws FaultlineError as {@link secureContextFor}
 */
export function clientContextFor(options: TrustOptions, prefix: string): SecureContext {
  const given = checkIdentity(options, prefix)
  if (options.ca !== undefined && options.ca !== 'system') parseCertificate(options.ca, fieldOf(prefix, 'ca'))
  return build(
    {
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      ...(given && { cert: given.certificate, key: given.key }),
      // An empty list also spares reading the well-known certificates.
      ...(options.ca !== 'system' && { ca: options.ca ?? [] }),
    },
    fieldOf(prefix, given ? 'certificate' : 'ca'),
  )
}

/**
 * True if a client of the proxy sees the server's own certificate. Only then SCRAM's channel binding works through the
 * proxy: it is a hash of the certificate (tls-server-end-point, RFC 5929 section 4.1).
 *
 * @param own in PEM
 * @param peer the server's in DER
 */
export function sameCertificate(own: string, peer: Buffer): boolean {
  return new X509Certificate(own).raw.equals(peer)
}

function checkIdentity(options: IdentityOptions, prefix: string): Required<IdentityOptions> | undefined {
  const { certificate, key } = options
  const certificateField = fieldOf(prefix, 'certificate')
  const keyField = fieldOf(prefix, 'key')
  if (certificate === undefined && key === undefined) return undefined
  if (certificate === undefined) throw missing(certificateField, CERTIFICATE_PEM, keyField)
  if (key === undefined) throw missing(keyField, KEY_PEM, certificateField)
  const parsed = parseCertificate(certificate, certificateField)
  if (parsed.checkPrivateKey(parseKey(key, keyField))) return { certificate, key }
  const expected = `the private key of the certificate in ${certificateField}`
  throw new FaultlineError('invalid_value', `${keyField}: expected ${expected}, got the key of another`, {
    field: keyField,
    expected,
  })
}

function parseCertificate(pem: string, field: string): X509Certificate {
  try {
    // X509Certificate would also take DER, which the rest would not.
    if (pem.includes('-----BEGIN CERTIFICATE-----')) return new X509Certificate(pem)
  } catch (cause) {
    throw refuse(field, CERTIFICATE_PEM, cause)
  }
  throw refuse(field, CERTIFICATE_PEM)
}

function parseKey(pem: string, field: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw refuse(field, KEY_PEM, cause)
  }
}

function build(options: Parameters<typeof createSecureContext>[0], field: string): SecureContext {
  try {
    return createSecureContext(options)
  } catch (cause) {
    throw refuse(field, 'a certificate and key that OpenSSL accepts', cause)
  }
}

function fieldOf(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}${name[0]?.toUpperCase()}${name.slice(1)}`
}

function missing(field: string, expected: string, other: string): FaultlineError {
  return new FaultlineError('missing_field', `${field}: missing, expected ${expected} beside ${other}`, {
    field,
    expected,
  })
}

/** What came is not shown: it may be a secret. */
function refuse(field: string, expected: string, cause?: unknown): FaultlineError {
  const why = cause instanceof Error ? ((cause as { reason?: string }).reason ?? cause.message) : undefined
  const message = `${field}: expected ${expected}, got something else${why === undefined ? '' : ` (${why})`}`
  return new FaultlineError('invalid_value', message, { field, expected, ...(cause !== undefined && { cause }) })
}
