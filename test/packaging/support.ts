// Folders outside of the repository with files of a user's, who has installed the built package.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { ROOT } from '../cli/support.ts'

export interface Ended {
  /** Null if a signal ended it, as one does what has not ended by itself. */
  readonly code: number | null
  readonly stdout: string
  /** Both streams, one behind the other. */
  readonly output: string
}

/** For a program that takes a second, on a busy machine. It is ended then: what keeps it alive has failed the test. */
const LIMIT_MS = 30_000

/** For tests that run one or two of them, in milliseconds. */
export const PATIENCE_MS = 70_000

export class UserFolder implements AsyncDisposable {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  static async create(files: Readonly<Record<string, string>>): Promise<UserFolder> {
    const folder = new UserFolder(await mkdtemp(join(tmpdir(), 'faultline-user-')))
    await mkdir(join(folder.#path, 'node_modules'))
    await symlink(ROOT, join(folder.#path, 'node_modules', 'faultline'))
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder.#path, name), content)
    return folder
  }

  /** Runs Node with a program of this folder, or of a package of the repository's: `jest/bin/jest.js`. */
  async node(program: string, ...args: readonly string[]): Promise<Ended> {
    const isPackaged = program.includes('/')
    const path = isPackaged ? join(ROOT, 'node_modules', program) : program
    const env = { PATH: process.env['PATH'] ?? '', HOME: this.#path, NO_COLOR: '1' }
    const child = spawn(process.execPath, [path, ...args], { cwd: this.#path, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    clearTimeout(limit)
    return { code, stdout, output: stdout + stderr }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#path, { recursive: true, force: true })
  }
}
