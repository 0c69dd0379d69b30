import { adapterTypes } from '../../adapters/registry.ts';
import { readConfigFile } from '../config/load.ts';
import { renderDiagnostics } from '../config/render.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export async function validate(files: readonly string[], { json }: { readonly json: boolean }): Promise<ExitCode> {
  const checked = await Promise.all(
    files.map(async (file) => {
      const loaded = await readConfigFile(file, { adapters: adapterTypes, env: process.env });
      return { file, diagnostics: 'diagnostics' in loaded ? loaded.diagnostics : [] };
    }),
  );
  const valid = checked.every(({ diagnostics }) => diagnostics.length === 0);
  if (json) process.stdout.write(`${JSON.stringify({ valid, files: checked })}\n`);
  else {
    for (const { file, diagnostics } of checked) {
      const colour = process.stdout.isTTY === true;
      process.stdout.write(
        diagnostics.length === 0 ? `${file}: ok\n` : `${renderDiagnostics(diagnostics, { colour })}\n`,
      );
    }
  }
  return valid ? EXIT.ok : EXIT.failed;
}
