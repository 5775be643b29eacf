// A self-signed certificate made at run time, so that TLS works without one being configured. Node has no call for it,
// and libraries that do bring megabytes; this one certificate is a few fixed fields of DER (RFC 5280, X.690).
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** Both in PEM. */
export interface CertificateAndKey {
  readonly certificate: string
  readonly key: string
}

const COMMON_NAME = 'faultline'
const VALID_YEARS = 10
const DAY_MS = 86_400_000

const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  /** Of a GeneralName (RFC 5280 section 4.2.1.6). */
  dnsName: 0x82,
  ipAddress: 0x87,
  /** Of a TBSCertificate (RFC 5280 section 4.1). */
  version: 0xa0,
  extensions: 0xa3,
} as const

/** Object identifiers by their encoded bytes. */
const ECDSA_WITH_SHA256 = objectIdentifier('2a8648ce3d040302') // 1.2.840.10045.4.3.2
const COMMON_NAME_ID = objectIdentifier('550403') // 2.5.4.3
const SUBJECT_ALTERNATIVE_NAME = objectIdentifier('551d11') // 2.5.29.17
const BASIC_CONSTRAINTS = objectIdentifier('551d13') // 2.5.29.19

/**
 * A certificate for localhost, 127.0.0.1 and ::1, on ECDSA P-256, signed by itself and valid for ten years from
 * yesterday: clocks differ.
 */
export function makeSelfSigned(now = new Date()): CertificateAndKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = sequence(ECDSA_WITH_SHA256)
  const name = sequence(der(Tag.set, sequence(COMMON_NAME_ID, der(Tag.utf8String, Buffer.from(COMMON_NAME)))))
  const until = new Date(now)
  until.setUTCFullYear(now.getUTCFullYear() + VALID_YEARS)
  const toBeSigned = sequence(
    der(Tag.version, der(Tag.integer, Buffer.of(2))), // v3
    der(Tag.integer, serialNumber()),
    algorithm,
    name,
    sequence(time(new Date(now.getTime() - DAY_MS)), time(until)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(Tag.extensions, sequence(alternativeNames(), notAnAuthority())),
  )
  const signature = sign('sha256', toBeSigned, privateKey)
  return {
    certificate: pem('CERTIFICATE', sequence(toBeSigned, algorithm, bitString(signature))),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function alternativeNames(): Buffer {
  const names = sequence(
    der(Tag.dnsName, Buffer.from('localhost')),
    der(Tag.ipAddress, Buffer.of(127, 0, 0, 1)),
    der(Tag.ipAddress, Buffer.concat([Buffer.alloc(15), Buffer.of(1)])),
  )
  return sequence(SUBJECT_ALTERNATIVE_NAME, der(Tag.octetString, names))
}

/** Critical, and empty: cA is FALSE by default. Whoever trusts this certificate trusts no others by it. */
function notAnAuthority(): Buffer {
  return sequence(BASIC_CONSTRAINTS, der(Tag.boolean, Buffer.of(0xff)), der(Tag.octetString, sequence()))
}

/** 127 random bits: positive, and without leading zeros that DER would forbid. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes
}

/** UTCTime has two digits for the year and ends in 2049 (RFC 5280 section 4.1.2.5). */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+|\D/g, '')
  const text = `${digits}Z`
  if (date.getUTCFullYear() < 2050) return der(Tag.utcTime, Buffer.from(text.slice(2)))
  return der(Tag.generalizedTime, Buffer.from(text))
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(Tag.sequence, Buffer.concat(parts))
}

/** Whole bytes: none of the last one's bits is unused. */
function bitString(bytes: Buffer): Buffer {
  return der(Tag.bitString, Buffer.concat([Buffer.of(0), bytes]))
}

function objectIdentifier(hex: string): Buffer {
  return der(Tag.objectIdentifier, Buffer.from(hex, 'hex'))
}

/** Tag, length and content (X.690 section 8.1.3): lengths from 128 on are preceded by their own length. */
function der(tag: number, content: Buffer): Buffer {
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content])
  const length = content.length < 0x100 ? [0x81, content.length] : [0x82, content.length >> 8, content.length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...length), content])
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
