// Certificates and keys: given, wrong, and made at run time.
import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { isFaultlineError } from '../../../../proxy/errors.ts'
import {
  clientContextFor,
  sameCertificate,
  secureContextFor,
} from '../../../../proxy/protocols/postgres/tls-identity.ts'
import { makeSelfSigned } from '../../../../proxy/protocols/postgres/tls-self-signed.ts'

const folder = mkdtempSync(join(tmpdir(), 'faultline-tls-'))
afterAll(() => rmSync(folder, { recursive: true }))
const hasOpenssl = spawnSync('openssl', ['version']).status === 0

const own = makeSelfSigned()
const other = makeSelfSigned()

/** Code and message of the error that a call throws. */
function refusal(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (!isFaultlineError(error)) throw error
    return `${error.code} ${error.field}: ${error.message}`
  }
  return 'accepted'
}

describe('a certificate that is given', () => {
  test('is used as it is', () => {
    const identity = secureContextFor(own, 'tls')
    expect(identity).toMatchObject({ certificate: own.certificate, selfSigned: false })
  })

  const encrypted = '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n'
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
  test.each([
    [
      'a path',
      { ...own, certificate: '/etc/ssl/server.crt' },
      /^invalid_value tlsCertificate: tlsCertificate: expected a cert/,
    ],
    ['broken', { ...own, certificate: broken }, /^invalid_value tlsCertificate: .*expected a certificate in PEM .*\(/],
    ['a key as certificate', { ...own, certificate: own.key }, /^invalid_value tlsCertificate:/],
    [
      'a certificate as key',
      { ...own, key: own.certificate },
      /^invalid_value tlsKey: tlsKey: expected an unencrypted/,
    ],
    ['an encrypted key', { ...own, key: encrypted }, /^invalid_value tlsKey:/],
    [
      'the key of another',
      { ...own, key: other.key },
      /^invalid_value tlsKey: .* the private key of the certificate in tlsCert/,
    ],
    ['no key', { certificate: own.certificate }, /^missing_field tlsKey: .* beside tlsCertificate$/],
    ['no certificate', { key: own.key }, /^missing_field tlsCertificate: .* beside tlsKey$/],
  ])('is refused by its field: %s', (_what, options, expected) => {
    expect(refusal(() => secureContextFor(options, 'tls'))).toMatch(expected)
    expect(refusal(() => clientContextFor(options, 'tls'))).toMatch(expected)
  })

  test('is never shown in a message, nor is its key', () => {
    const secret = 'c2VjcmV0'
    expect(refusal(() => secureContextFor({ ...own, key: secret }, 'tls'))).not.toContain(secret)
  })

  test('of those that are trusted is checked too', () => {
    expect(refusal(() => clientContextFor({ ca: 'root.crt' }, 'tls'))).toMatch(/^invalid_value tlsCa:/)
    expect(refusal(() => clientContextFor({ ca: own.certificate }, 'tls'))).toBe('accepted')
    expect(refusal(() => clientContextFor({ ca: 'system' }, 'tls'))).toBe('accepted')
  })
})

describe('a certificate made at run time', () => {
  test('is for this machine, for ten years, and for nothing but TLS of its own', () => {
    const now = new Date('2026-05-04T03:02:01Z')
    const { certificate, key } = makeSelfSigned(now)
    const parsed = new X509Certificate(certificate)
    expect(parsed.subject).toBe('CN=faultline')
    expect(parsed.issuer).toBe('CN=faultline')
    expect(parsed.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1')
    expect(new Date(parsed.validFrom)).toEqual(new Date('2026-05-03T03:02:01Z'))
    expect(new Date(parsed.validTo)).toEqual(new Date('2036-05-04T03:02:01Z'))
    expect(parsed.ca).toBe(false)
    expect(parsed.verify(parsed.publicKey)).toBe(true)
    expect(secureContextFor({ certificate, key }, '').selfSigned).toBe(false)
  })

  test('is another one each time', () => {
    const [first, second] = [secureContextFor({}, 'tls'), secureContextFor({}, 'tls')]
    expect([first.selfSigned, second.selfSigned]).toEqual([true, true])
    expect(new X509Certificate(first.certificate).serialNumber).not.toBe(
      new X509Certificate(second.certificate).serialNumber,
    )
  })

  test('may end after 2049, when dates have four digits for the year', () => {
    const { certificate } = makeSelfSigned(new Date('2045-01-01T00:00:00Z'))
    expect(new Date(new X509Certificate(certificate).validTo)).toEqual(new Date('2055-01-01T00:00:00Z'))
  })

  test.runIf(hasOpenssl)('is one by the strict rules of OpenSSL, every time', () => {
    // The serial number and signature have lengths of their own: many, so that all of them come.
    const files = Array.from({ length: 40 }, (_, index) => {
      const file = join(folder, `${index}.pem`)
      writeFileSync(file, makeSelfSigned().certificate)
      return file
    })
    for (const file of files) {
      const verify = [
        'verify',
        '-x509_strict',
        '-purpose',
        'sslserver',
        '-verify_hostname',
        'localhost',
        '-CAfile',
        file,
        file,
      ]
      expect(execFileSync('openssl', verify).toString()).toBe(`${file}: OK\n`)
    }
  })
})

describe('channel binding', () => {
  test('works with the server’s own certificate only', () => {
    const raw = new X509Certificate(own.certificate).raw
    expect(sameCertificate(own.certificate, raw)).toBe(true)
    expect(sameCertificate(other.certificate, raw)).toBe(false)
    expect(sameCertificate(own.certificate + other.certificate, raw)).toBe(true)
  })
})
