// As much of a container as it takes to run the image's command without an engine: a root folder of its own that can only
// be read, a network of its own, no rights, an environment without anything. Linux, and only as root.
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Image } from './dockerfile.ts'

const run = promisify(execFile)

/** The system's own programs and libraries, as the base image has them; /opt is what the Dockerfile's RUN adds. */
const ENTER = `
set -e
root=$1 tree=$2 folder=$3 node=$4
shift 4
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir -p "$root/usr" "$root/etc" "$root/dev" "$root/proc" "$root/opt" "$root$folder" "$root/tmp"
for name in bin lib lib64; do
  if [ -L "/$name" ]; then cp -P "/$name" "$root/$name"
  elif [ -d "/$name" ]; then mkdir "$root/$name" && mount --bind -o ro "/$name" "$root/$name"; fi
done
mount --bind -o ro /usr "$root/usr"
mount --bind -o ro /etc "$root/etc"
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
touch "$root/opt/node"
mount --bind -o ro "$node" "$root/opt/node"
ln -s "$folder/dist/esm/cli/main.js" "$root/opt/faultline"
mount --bind "$tree" "$root$folder"
mount -o remount,ro,bind "$root$folder"
mount -o remount,ro "$root"
exec chroot "$root" "$@"
`

/** Why there can be no containers here; undefined if there can. */
export function whyNoContainer(): string | undefined {
  if (process.geteuid?.() !== 0) return 'only root can start one'
  const { error, status, stderr } = spawnSync('unshare', ['--mount', '--net', 'setpriv', '--version'], {
    encoding: 'utf8',
  })
  if (error) return error.message
  return status === 0 ? undefined : stderr.trim()
}

export class Container implements AsyncDisposable {
  readonly #image: Image
  readonly #root: string
  readonly process: ChildProcess

  private constructor(image: Image, tree: string) {
    this.#image = image
    this.#root = mkdtempSync(join(tmpdir(), 'faultline-root-'))
    const place = [this.#root, tree, image.folder, process.execPath]
    const command = ['--mount', '--net', 'sh', '-c', ENTER, 'sh', ...place, ...this.#asUser(image.command)]
    this.process = spawn('unshare', command, { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] })
  }

  /** Runs an image's command, with a folder in the place of its own. */
  static start(image: Image, tree: string): Container {
    return new Container(image, tree)
  }

  /** Runs another command in it, as its engine does for health. @returns the exit code */
  async exec(command: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
    const inside = ['--mount', '--net', '--root', '--wd', '--target', String(this.process.pid)]
    try {
      const { stdout, stderr } = await run('nsenter', [...inside, ...this.#asUser(command)])
      return { code: 0, output: stdout + stderr }
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      return { code, output: stdout + stderr }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.process
    if (exitCode === null && signalCode === null) {
      this.process.kill('SIGKILL')
      await once(this.process, 'exit')
    }
    rmSync(this.#root, { recursive: true, force: true })
  }

  #asUser(command: readonly string[]): string[] {
    const { user, environment, folder } = this.#image
    const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups']
    const rights = ['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs']
    const variables = Object.entries({ ...environment, PATH: '/opt:/usr/bin:/bin' }).map(
      ([name, value]) => `${name}=${value}`,
    )
    return ['/usr/bin/setpriv', ...identity, ...rights, '/usr/bin/env', '-i', '-C', folder, ...variables, ...command]
  }
}
