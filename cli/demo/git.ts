/** git for the demo's own sample repository and for its proofs, which trust nothing but the remote. */
import { execa } from 'execa';

/** Runs git in `cwd` as the demo's person, with no configuration from outside; returns its output. */
export async function demoGit(cwd: string, args: string[]): Promise<string> {
  const { stdout } = await execa('git', args, {
    cwd,
    extendEnv: true,
    env: {
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: 'Demo',
      GIT_AUTHOR_EMAIL: 'demo@localhost',
      GIT_COMMITTER_NAME: 'Demo',
      GIT_COMMITTER_EMAIL: 'demo@localhost',
    },
  });
  return stdout;
}
