// A folder as a user has it after `npm install`: the packed package, and what it and the project depend on. Nothing is
// downloaded: other packages are links to those of this repository.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { spawnSync } from 'node:child_process'

export const root = join(import.meta.dirname, '../..')
const installed = join(root, 'node_modules')

export function readPackage(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/** The package as it would be published, unpacked outside of the repository. It is gone when this process ends. */
export class PackedPackage {
  constructor() {
    /** Where folders of users may be made. */
    this.folder = mkdtempSync(join(tmpdir(), 'faultline-examples-'))
    process.once('exit', () => rmSync(this.folder, { recursive: true, force: true }))
    const packed = run('npm', ['pack', '--silent', '--pack-destination', this.folder], root)
    run('tar', ['-xzf', packed.trim().split('\n').at(-1)], this.folder)
    this.package = join(this.folder, 'package')
    this.manifest = readPackage(this.package)
  }

  /**
   * Makes a folder with what a project names as its dependencies, and nothing else that it could import by mistake.
   *
   * @param project where its files are
   * @param also packages that npm puts beside them, as something that they depend on needs them
   */
  install(name, project, also = []) {
    const folder = join(this.folder, name)
    cpSync(project, folder, { recursive: true, filter: (path) => !path.includes('node_modules', project.length) })
    const { dependencies, devDependencies } = readPackage(folder)
    const wanted = { ...dependencies, ...devDependencies }
    this.#checkVersions(name, wanted)
    cpSync(this.package, join(folder, 'node_modules', 'faultline'), { recursive: true })
    for (const other of new Set([...Object.keys(wanted), ...Object.keys(this.manifest.dependencies), ...also])) {
      if (other !== 'faultline') link(other, folder)
    }
    return folder
  }

  /** An example must not be run with something else than what its users get. */
  #checkVersions(name, wanted) {
    const { version, dependencies, devDependencies } = this.manifest
    const expectations = { ...dependencies, ...devDependencies, faultline: `^${version}` }
    for (const [other, range] of Object.entries(wanted)) {
      const expected = expectations[other]
      if (range === expected) continue
      const message = `examples/${name}/package.json: ${other}: expected ${expected}, as in the repository, got ${range}`
      throw new Error(message)
    }
  }
}

function link(name, folder) {
  const place = join(folder, 'node_modules', name)
  mkdirSync(dirname(place), { recursive: true })
  symlinkSync(join(installed, name), place)
  const { bin = {} } = readPackage(place)
  const programs = typeof bin === 'string' ? { [name.split('/').at(-1)]: bin } : bin
  const bins = join(folder, 'node_modules', '.bin')
  mkdirSync(bins, { recursive: true })
  for (const [program, path] of Object.entries(programs)) {
    if (!readdirSync(bins).includes(program)) symlinkSync(join('..', name, path), join(bins, program))
  }
}

function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status === 0) return stdout
  throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`, { cause: error })
}
