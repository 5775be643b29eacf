// `faultline stress TYPE`: stands for a command of each type of stressors, which are loaded when they are asked for.
import type { Command } from '../command.ts'

export const stress: Command = {
  name: 'stress TYPE',
  describe: "Starts a stressor, which presses the server's machine: CPU, memory, disk and more.",
  arguments: {},
  flags: {},
  example: 'stress cpu --load 80 --ttl 30s',
  expand: async () => (await import('../stress-commands.ts')).stressCommands(),
  run: () => Promise.reject(new Error('it stands for others')),
}
