// Lines to a file or to stdout, in the background: whoever adds one never waits, and never fails.
import { close, fstat, open, stat, write, type Stats } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { FaultlineError, systemCode } from '../../proxy/errors.ts'

/** Lines that wait to be written. Some 10,000; further ones are dropped, and counted in the log itself. */
const MAX_BUFFERED_CHARACTERS = 4 * 1024 * 1024

/** How long to wait for a reader of stdout that has stopped reading. */
const RETRY_MS = 100

/** A log that nobody reads must not keep the server from ending. */
const CLOSE_DEADLINE_MS = 1000

/** The file is for its owner: addresses and names of services are in it. One that exists keeps its mode. */
const MODE = 0o600

const STDOUT = 1

const files = { close: promisify(close), fstat: promisify(fstat), open: promisify(open), stat: promisify(stat) }
const writeBytes = promisify(write)

export class AuditFile {
  readonly #path: string
  /** Told the first error of a row of them. */
  readonly #failed: (error: unknown) => void
  #descriptor: number
  #lines: string[] = []
  #bufferedCharacters = 0
  #dropped = 0
  /** Whether the last write failed, perhaps in the middle of a line. */
  #broken = false
  #writing: Promise<void> | undefined

  private constructor(path: string, descriptor: number, failed: (error: unknown) => void) {
    this.#path = path
    this.#descriptor = descriptor
    this.#failed = failed
  }

  /**
   * Appends to a file, which it creates if need be; `-` is stdout.
   *
   * @throws FaultlineError `invalid_value` if that can't be done
   */
  static async open(path: string, failed: (error: unknown) => void): Promise<AuditFile> {
    return new AuditFile(path, path === '-' ? STDOUT : await openFile(path), failed)
  }

  add(line: string): void {
    if (this.#bufferedCharacters + line.length > MAX_BUFFERED_CHARACTERS) {
      this.#dropped++
      return
    }
    this.#lines.push(`${line}\n`)
    this.#bufferedCharacters += line.length
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
    })
  }

  /** Resolves when all is written, or the deadline has passed. */
  async close(): Promise<void> {
    const deadline = new AbortController()
    const { signal } = deadline
    await Promise.race([this.#writing, delay(CLOSE_DEADLINE_MS, undefined, { signal }).catch(() => undefined)])
    deadline.abort()
    if (this.#descriptor !== STDOUT) await files.close(this.#descriptor)
  }

  async #writeAll(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines
      this.#lines = []
      this.#bufferedCharacters = 0
      if (this.#dropped > 0) lines.push(`${JSON.stringify({ log: 'audit', dropped: this.#dropped })}\n`)
      const dropped = this.#dropped
      try {
        await this.#followRotation()
        await this.#write(Buffer.from((this.#broken ? '\n' : '') + lines.join('')))
        this.#dropped -= dropped
        this.#broken = false
      } catch (error) {
        this.#dropped += lines.length - (dropped > 0 ? 1 : 0)
        if (!this.#broken) this.#failed(error)
        this.#broken = true
      }
    }
  }

  async #write(bytes: Buffer): Promise<void> {
    let offset = 0
    while (offset < bytes.length) {
      try {
        const { bytesWritten } = await writeBytes(this.#descriptor, bytes, offset)
        offset += bytesWritten
      } catch (error) {
        if (systemCode(error) !== 'EAGAIN') throw error
        await delay(RETRY_MS)
      }
    }
  }

  /** Tools that rotate logs rename the file: then this goes on in a new one, without being told. */
  async #followRotation(): Promise<void> {
    if (this.#descriptor === STDOUT) return
    const [present, own] = await Promise.all([statOrNothing(this.#path), files.fstat(this.#descriptor)])
    if (present?.ino === own.ino && present.dev === own.dev) return
    const old = this.#descriptor
    this.#descriptor = await files.open(this.#path, 'a', MODE)
    await files.close(old)
  }
}

async function openFile(path: string): Promise<number> {
  const present = await statOrNothing(path)
  const expected = 'a file that can be written, or - for stdout'
  const fail = (reason: string, cause?: unknown): never => {
    const message = `auditLog: expected ${expected}, got ${path}: ${reason}`
    throw new FaultlineError('invalid_value', message, { field: 'auditLog', expected, cause })
  }
  // Opening a pipe would wait for its reader.
  if (present && !present.isFile() && !present.isCharacterDevice()) return fail('not a file')
  return files.open(path, 'a', MODE).catch((error: unknown) => fail(systemCode(error) ?? String(error), error))
}

async function statOrNothing(path: string): Promise<Stats | undefined> {
  return files.stat(path).catch(() => undefined)
}
