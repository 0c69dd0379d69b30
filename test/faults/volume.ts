/** A small file system for the journal: ext4 on an image, which can be filled, copied, failed and mounted again. */
import { mkdir, mkdtempDisposable, open, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command, missing } from '../backends/machine.ts';
import { until } from '../main-job/daemon-process.ts';

/** FS_IOC_SHUTDOWN without flushing: from then on every call fails with EIO, and what was not synced is gone. */
const SHUTDOWN = 'open(my $d, "<", $ARGV[0]) or die $!; my $how = pack("L", 2); ioctl($d, 0x8004587d, $how) or die $!;';

/** Why there cannot be one on this machine, in words. */
export async function noVolumes(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux may mount a file system';
  const absent = await missing('mkfs.ext4', 'e2fsck', 'mount', 'umount', 'perl');
  if (absent.length > 0) return `${absent.join(', ')} not installed`;
  try {
    await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-volume-'));
    await using _ = await Volume.mount(directory.path, 8);
    return undefined;
  } catch (error) {
    return `an image cannot be mounted: ${error instanceof Error ? error.message : error}`;
  }
}

export class Volume implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #directory: string;
  #image: string;
  #images = 1;

  private constructor(directory: string) {
    this.#directory = directory;
    this.path = join(directory, 'volume');
    this.#image = join(directory, 'volume-1.img');
  }

  static async mount(directory: string, MiB: number): Promise<Volume> {
    const volume = new Volume(directory);
    await using image = await open(volume.#image, 'wx');
    await image.truncate(MiB * 2 ** 20);
    await command('mkfs.ext4', ['-q', '-F', '-m', '0', '-b', '4096', '-E', 'lazy_itable_init=0', volume.#image]);
    await mkdir(volume.path);
    await volume.#mount();
    return volume;
  }

  get #ballast(): string {
    return join(this.path, 'ballast');
  }

  /** Leaves no byte free. */
  async fill(): Promise<void> {
    await using file = await open(this.#ballast, 'w');
    for (const bytes of [2 ** 20, 4_096]) {
      const block = Buffer.alloc(bytes);
      while ((await file.write(block).catch(isFull)) !== undefined);
    }
  }

  /** Gives back what `fill` has taken, or all of it but so many bytes. */
  async free(keep = 0): Promise<void> {
    const { size } = await stat(this.#ballast);
    await truncate(this.#ballast, Math.min(size, keep));
  }

  /** What the block device holds at this moment, as a power cut would leave it; its writers should stand still. */
  async copy(): Promise<string> {
    this.#images += 1;
    const copy = join(this.#directory, `volume-${this.#images}.img`);
    await command('cp', ['--sparse=auto', this.#image, copy]);
    return copy;
  }

  /** After the power cut: the image in place of what was mounted, checked as a boot would. */
  async boot(image: string): Promise<void> {
    await this.#unmount();
    if (image !== this.#image) await rm(this.#image);
    this.#image = image;
    // Ends with 1 when it has mended something, which is what it is for.
    await command('e2fsck', ['-p', image]).catch((error) => {
      if (!(error instanceof Error && 'code' in error && error.code === 1)) throw error;
    });
    await this.#mount();
  }

  /** Every call fails with an I/O error from now on, until `boot`. */
  async fail(): Promise<void> {
    await command('perl', ['-e', SHUTDOWN, this.path]);
  }

  /** Mounts it again after `fail`. */
  restore(): Promise<void> {
    return this.boot(this.#image);
  }

  async remount(how: 'ro' | 'rw'): Promise<void> {
    await command('mount', ['-o', `remount,${how}`, this.path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#unmount();
    await rm(this.#image, { force: true });
  }

  #mount(): Promise<string> {
    return command('mount', ['-o', 'loop', this.#image, this.path]);
  }

  /** Whoever was killed may hold it for a moment longer. */
  async #unmount(): Promise<void> {
    const tried = () =>
      command('umount', [this.path]).then(
        () => true,
        () => false,
      );
    await until('nobody uses the volume', tried);
  }
}

function isFull(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return undefined;
  throw error;
}
