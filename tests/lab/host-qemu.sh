# shellcheck shell=bash
# Hosts of QEMU: its own emulation (TCG) of an AMD-V machine with NPT. Always by
# name: /dev/kvm may be there and not work.

host_qemu_prepare() {
	B_LINGER=0
	[[ -z $B_MIPS || $(host_qemu_shift) ]] ||
		die "--mips on the host $B_HOST is one of 125, 250, 500, 1000, not $B_MIPS"
	# The second CPU would not come up.
	[[ -z $B_MIPS || $B_CPUS == 1 ]] || die "--icount and --mips are for one CPU on the host $B_HOST"
	image_run "$B_DIR/initrd" "$@" || return
	# Some tests need a real disk, e.g. those of O_DIRECT.
	truncate -s 64M "$B_DIR/disk.img"
	host_qemu_command
}

host_qemu_command() {
	local accel=tcg cpu=$H_MODEL machine=pc output="file,path=$B_DIR/output.log"
	[[ -z $B_INTERACTIVE ]] || output=stdio,mux=on,signal=off
	((B_CPUS == 1)) || accel=tcg,thread=$([[ -z $B_ONE_THREAD ]] && echo multi || echo single)
	# QEMU 7.2's CMPXCHG16B leaves rubbish in the flags (Documentation/lab.rst).
	# What is measured keeps it, as memory is allocated by it on real machines,
	# and so do hosts with Linux guests, which get slow without it.
	[[ $B_ICOUNT || $B_QEMU ]] || cpu+=,cx16=off
	# The table of PCI interrupts of "pc" is a program, for which a debug kernel takes
	# half a minute.
	[[ $B_KERNEL != debug* ]] || machine=q35
	# shellcheck disable=SC2054 # the commas are QEMU's
	B_COMMAND=(env QEMU_MODULE_DIR="$E_ROOT/usr/lib/x86_64-linux-gnu/qemu"
		"${E_RUN[@]}" "$E_ROOT$QEMU_PROGRAM"
		-L "$E_ROOT/usr/share/qemu" -L "$E_ROOT/usr/share/seabios" -L "$E_ROOT/usr/lib/ipxe/qemu"
		-machine "$machine" -accel "$accel" -cpu "$cpu"
		-smp "$B_CPUS" -m "$B_MEM" -nodefaults -no-user-config -display none -no-reboot
		-kernel "$K_IMAGE" -initrd "$B_DIR/initrd"
		-append "$(boot_append "loglevel=6 $B_APPEND")"
		-drive "if=none,id=disk,format=raw,file=$B_DIR/disk.img,cache=unsafe"
		-device virtio-blk-pci,drive=disk
		-chardev "file,id=console,path=$B_DIR/console.log" -serial chardev:console
		-chardev "$output,id=output" -serial chardev:output
		-chardev "file,id=export,path=$B_DIR/export.b64" -serial chardev:export)
	[[ -z $B_MIPS ]] || B_COMMAND+=(-icount "shift=$(host_qemu_shift),sleep=off")
	[[ -z $B_NUMA ]] || host_qemu_numa
}

# An instruction takes 2^shift nanoseconds.
host_qemu_shift() {
	local shift
	for shift in 0 1 2 3; do
		((1000 >> shift != B_MIPS)) || echo "$shift"
	done
}

host_qemu_shell() {
	say "Booting ($(boot_time "$H_SECONDS")). Leave with exit; Ctrl-A x switches the host off."
	"${B_COMMAND[@]}" 2>"$B_DIR/emulator.log"
}

host_qemu_numa() {
	local half=$((B_MEM / 2)) last=$((B_CPUS - 1))
	((B_CPUS >= 2)) || die "two NUMA nodes need two CPUs: --cpus 2"
	# A node is a socket: the kernel warns of one socket that spans nodes.
	B_COMMAND+=(
		-smp "$B_CPUS,sockets=2"
		-object "memory-backend-ram,id=node0,size=${half}M"
		-object "memory-backend-ram,id=node1,size=${half}M"
		-numa "node,nodeid=0,memdev=node0,cpus=0-$((last / 2))"
		-numa "node,nodeid=1,memdev=node1,cpus=$((last / 2 + 1))-$last")
}
