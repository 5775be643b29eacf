// Packs the package and checks what users would get: its exports (publint) and its types (are-the-types-wrong).
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'faultline-pack-'))
try {
  const pack = run('npm', ['pack', '--silent', '--pack-destination', folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const tarball = join(folder, pack.stdout.toString().trim().split('\n').at(-1))
  run('npx', ['--no-install', 'publint', '--strict', tarball])
  // Not the resolution of Node 10, which knows no subpaths; and vitest is there as ESM only, so is what extends it.
  const attw = ['attw', '--no-emoji', '--profile', 'node16', '--exclude-entrypoints', './vitest']
  run('npx', ['--no-install', ...attw, '--', tarball])
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { stdio: 'inherit', ...options })
  if (result.status !== 0) {
    rmSync(folder, { recursive: true, force: true })
    process.exit(result.status ?? 1)
  }
  return result
}
