// What is in the image's folder, laid out from the repository: the packages that `npm ci --omit=dev` installs, and what the
// Dockerfile copies of the build. Nothing is downloaded.
import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { ROOT } from '../cli/support.ts'
import type { Image } from './dockerfile.ts'

const BUILD = '/build'

interface LockedPackage {
  /** Only for development. (`devOptional` is installed, but without it.) */
  readonly dev?: boolean
}

/**
 * The folders of the packages that are installed for production, e.g. `node_modules/a` and `node_modules/a/node_modules/b`;
 * npm marks all others in the lockfile (package-lock.json(5), packages).
 */
export function productionPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, LockedPackage>>
  }
  return Object.entries(packages).flatMap(([folder, { dev }]) => (folder === '' || dev ? [] : [folder]))
}

/** Of all files in a folder, in bytes; of a package without those that are installed in it. */
export function sizeOf(folder: string): number {
  const sizes = readdirSync(folder, { withFileTypes: true }).map((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' ? 0 : sizeOf(path)
    return lstatSync(path).size
  })
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** The image's folder, to be mounted in its place. */
export class ProductionTree implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'faultline-image-'))
  readonly path = join(this.#folder, 'app')

  constructor({ copies, folder }: Image) {
    for (const { sources, to } of copies) {
      for (const source of sources) {
        const place = join(this.path, to.endsWith('/') ? join(to, basename(source)) : to)
        mkdirSync(dirname(place), { recursive: true })
        const path = relative(BUILD, source)
        if (path === 'node_modules') linkPackages(place)
        else copy(join(ROOT, path), place)
      }
    }
    if (!folder.startsWith('/')) throw new Error(`WORKDIR: expected a path from the root, got ${folder}`)
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Those in the folder of another come with that. */
function linkPackages(place: string): void {
  for (const folder of productionPackages()) {
    if (folder.lastIndexOf('node_modules/') > 0) continue
    const to = join(dirname(place), folder)
    mkdirSync(dirname(to), { recursive: true })
    copy(join(ROOT, folder), to)
  }
}

/** By hard links, which take no time, where both are on one disk. */
function copy(from: string, to: string): void {
  try {
    execFileSync('cp', ['-RLl', from, to], { stdio: 'ignore' })
  } catch {
    rmSync(to, { recursive: true, force: true })
    execFileSync('cp', ['-RL', from, to])
  }
}
