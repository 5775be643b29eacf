// The client's half of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding: to log in and to be refused.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

export class ScramClient {
  readonly #password: string
  readonly #firstBare = `n=,r=${randomBytes(18).toString('base64')}`

  constructor(password: string) {
    this.#password = password
  }

  /** client-first-message. Postgres takes the name from the startup message, not from here. */
  get first(): string {
    return `n,,${this.#firstBare}`
  }

  /** client-final-message. @param serverFirst server-first-message: `r=<nonce>,s=<salt>,i=<iterations>` */
  final(serverFirst: string): string {
    const [nonce = '', salt = '', iterations = ''] = serverFirst.split(',').map((attribute) => attribute.slice(2))
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256')
    const clientKey = hmac(salted, 'Client Key')
    const storedKey = createHash('sha256').update(clientKey).digest()
    // `biws` is `n,,` in base64: no channel binding.
    const withoutProof = `c=biws,r=${nonce}`
    const signature = hmac(storedKey, `${this.#firstBare},${serverFirst},${withoutProof}`)
    const proof = clientKey.map((byte, index) => byte ^ signature[index]!)
    return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
