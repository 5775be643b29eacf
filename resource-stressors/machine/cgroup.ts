// Where the control groups of this process are: cgroups(7), versions 1 and 2, also from inside a container.
import { join } from 'node:path'
import { readText } from './files.ts'

export interface ControlGroups {
  readonly version: 1 | 2
  /** Folders of this process's group and of all groups around it that can be seen, the innermost first. */
  readonly folders: readonly string[]
}

interface Mount {
  /** The group that is seen at the mount point. */
  readonly root: string
  readonly point: string
  readonly type: string
  readonly options: readonly string[]
}

/** What was found last, by root and controller: a floor is looked at many times a second, and mounts stay where they are. */
const found = new Map<string, { readonly memberships: string; readonly groups: ControlGroups | undefined }>()

/**
 * The groups that limit a resource. Where both versions are mounted, the one that has the controller counts.
 *
 * @param root where `proc` is looked for, `/`
 */
export function controlGroups(root: string, controller: 'cpu' | 'memory' | 'pids'): ControlGroups | undefined {
  const text = readText(join(root, 'proc/self/cgroup')) ?? ''
  const key = `${root} ${controller}`
  const last = found.get(key)
  if (last?.memberships === text) return last.groups
  const groups = findGroups(root, controller, text)
  found.set(key, { memberships: text, groups })
  return groups
}

function findGroups(root: string, controller: string, text: string): ControlGroups | undefined {
  const memberships = text.split('\n').map(parseMembership)
  const mounts = (readText(join(root, 'proc/self/mountinfo')) ?? '').split('\n').flatMap(parseMount)
  const first = memberships.find(({ controllers }) => controllers.includes(controller))
  const mount = mounts.find(({ type, options }) => type === 'cgroup' && options.includes(controller))
  if (first && mount) return { version: 1, folders: foldersOf(root, mount, first.path) }
  const second = memberships.find(({ id }) => id === '0')
  const unified = mounts.find(({ type }) => type === 'cgroup2')
  return second && unified ? { version: 2, folders: foldersOf(root, unified, second.path) } : undefined
}

/** A line of /proc/[pid]/cgroup: `4:memory:/docker/0123`, or `0::/user.slice` for version 2. */
function parseMembership(line: string): { id: string; controllers: readonly string[]; path: string } {
  const [id = '', controllers = '', ...path] = line.split(':')
  return { id, controllers: controllers.split(','), path: path.join(':') }
}

/** A line of /proc/[pid]/mountinfo: `35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory`. */
function parseMount(line: string): Mount[] {
  const [before = '', after = ''] = line.split(' - ')
  const [, , , root, point] = before.split(' ')
  const [type, , options = ''] = after.split(' ')
  return root && point && type ? [{ root, point, type, options: options.split(',') }] : []
}

/** In a container, the mount often shows only its own group, while the path is told as the host sees it. */
function foldersOf(root: string, mount: Mount, path: string): string[] {
  const base = mount.root === '/' ? '' : mount.root
  const inside = path === base || path.startsWith(`${base}/`) ? path.slice(base.length) : ''
  const parts = inside.split('/').filter((part) => part !== '' && part !== '..')
  const folders = parts.map((_part, index) => join(root, mount.point, ...parts.slice(0, parts.length - index)))
  return [...folders, join(root, mount.point)]
}
