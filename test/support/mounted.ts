// File systems of a test's own, where the machine lets us mount one: only what is on them can run out.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class MountedDisk implements Disposable {
  readonly folder: string
  readonly #image: string | undefined

  private constructor(folder: string, image?: string) {
    this.folder = folder
    this.#image = image
  }

  /** In memory: takes only what is written to it. Undefined where we may not mount. */
  static inMemory(options: string): MountedDisk | undefined {
    const folder = mkdtempSync(join(tmpdir(), 'faultline-disk-'))
    if (run('mount', ['-t', 'tmpfs', '-o', options, 'none', folder])) return new MountedDisk(folder)
    rmdirSync(folder)
    return undefined
  }

  /** An ext4 in a sparse file. Undefined where we may not mount, or there are no programs for it. */
  static ext4(bytes: number, options = 'defaults', makeOptions: readonly string[] = []): MountedDisk | undefined {
    const folder = mkdtempSync(join(tmpdir(), 'faultline-disk-'))
    const image = `${folder}.img`
    writeFileSync(image, '')
    truncateSync(image, bytes)
    const made = run('mkfs.ext4', ['-q', '-F', ...makeOptions, image])
    if (made && run('mount', ['-o', `loop,${options}`, image, folder])) return new MountedDisk(folder, image)
    rmdirSync(folder)
    rmSync(image)
    return undefined
  }

  [Symbol.dispose](): void {
    const isUnused = run('umount', [this.folder])
    if (!isUnused) run('umount', ['-l', this.folder]) // at the end of whoever uses it
    rmdirSync(this.folder)
    if (this.#image !== undefined) rmSync(this.#image)
    if (!isUnused) throw new Error(`${this.folder} was still in use`)
  }
}

function run(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0
}
