// Folders that results are written to.
import { access, mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { systemCode } from '../../proxy/errors.ts'

/**
 * Makes a folder, and those that it is to be in, unless they are there. Not by `recursive: true`: where nothing can be made,
 * as in /proc, Node 20 tries that for ever.
 *
 * @throws errors of the system
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    const parent = dirname(resolve(path))
    if (code !== 'ENOENT' || (await isThere(parent))) throw error
    await makeFolder(parent)
    await makeFolder(path)
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
