// The program that allocates space: Node has no call for it.
import { dyingWithParent, findProgram } from '../machine/programs.ts'

/**
 * The command line of `fallocate` of util-linux or busybox, for Linux: it gets a file by its name in /proc. It ends with
 * whoever runs it, where that can be had. Empty if there is none.
 */
export async function fallocateCommand(): Promise<readonly string[]> {
  const program = process.platform === 'linux' ? findProgram('fallocate') : undefined
  return program === undefined ? [] : [...(await dyingWithParent()), program]
}
