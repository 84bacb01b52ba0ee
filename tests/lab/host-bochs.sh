# shellcheck shell=bash
# Hosts of Bochs: machines of Intel and AMD, by the CPU's model. Debian's Bochs has
# neither a display-less mode (rfb with no wait is as good) nor a build without the
# debugger (its first command is "c": continue).

host_bochs_prepare() {
	# Bochs loses the last characters of the serial lines at power-off.
	B_LINGER=1
	[[ -z $B_ICOUNT ]] || die "--icount is for hosts of QEMU (Bochs counts instructions anyway)"
	[[ -z $B_ONE_THREAD ]] || die "--one-thread is for hosts of QEMU (Bochs has but one)"
	[[ -z $B_NUMA ]] || die "--numa is for hosts of QEMU"
	image_run "$B_DIR/initrd" "$@" && host_bochs_disc &&
		host_bochs_bochsrc >"$B_DIR/bochsrc" || return
	echo c >"$B_DIR/bochs.cmd"
	B_COMMAND=(env LTDL_LIBRARY_PATH="$E_ROOT/usr/lib/x86_64-linux-gnu/bochs/plugins"
		"${E_RUN[@]}" "$E_ROOT/usr/bin/bochs-bin" -q -f "$B_DIR/bochsrc" -rc "$B_DIR/bochs.cmd")
}

host_bochs_disc() {
	local disc
	disc=$(mktemp -d "$B_DIR/disc.XXXX") || return
	cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$disc" &&
		cp "$K_IMAGE" "$disc/vmlinuz" &&
		lz4 -l -9 -q -f "$B_DIR/initrd" "$disc/initrd" &&
		cat >"$disc/isolinux.cfg" <<-END &&
			default lab
			prompt 0
			label lab
			kernel vmlinuz
			initrd initrd
			append $(boot_append "quiet loglevel=5 clocksource=tsc lpj=1000000 $B_APPEND")
		END
		xorriso -as mkisofs -quiet -o "$B_DIR/boot.iso" -b isolinux.bin -c boot.cat \
			-no-emul-boot -boot-load-size 4 -boot-info-table "$disc" 2>"$B_DIR/xorriso.log"
	local rc=$?
	rm -rf "$disc"
	return "$rc"
}

# With "sync=none" the time-stamp counter counts emulated instructions: costs
# repeat. A person at a shell wants seconds that last a second. Errors and infos
# would be a log line for every VM exit. Without a sound card, Bochs dies of the
# default sound driver.
host_bochs_bochsrc() {
	local sync=none
	[[ -z $B_INTERACTIVE ]] || sync=slowdown
	cat <<-END
		display_library: rfb, options="timeout=0"
		cpu: model=$H_MODEL, count=$B_CPUS, ips=${B_MIPS:-50}000000, reset_on_triple_fault=0, ignore_bad_msrs=1
		memory: guest=$B_MEM, host=$B_MEM
		romimage: file="$E_ROOT/usr/share/bochs/BIOS-bochs-latest"
		vgaromimage: file="$E_ROOT/usr/share/vgabios/vgabios.bin"
		ata0-master: type=cdrom, path="$B_DIR/boot.iso", status=inserted
		boot: cdrom
		clock: sync=$sync
		com1: enabled=1, mode=file, dev="$B_DIR/console.log"
		com2: enabled=1, $(host_bochs_com2)
		com3: enabled=1, mode=file, dev="$B_DIR/export.b64"
		speaker: enabled=0
		sound: driver=dummy
		log: $B_DIR/bochs.log
		panic: action=fatal
		error: action=ignore
		info: action=ignore
		debug: action=ignore
	END
}

host_bochs_com2() {
	if [[ $B_INTERACTIVE ]]; then
		echo "mode=term, dev=\"$B_DIR/terminal\""
	else
		echo "mode=file, dev=\"$B_DIR/output.log\""
	fi
}

# socat makes the terminal that Bochs opens as its serial line, and ends when
# Bochs closes it.
host_bochs_shell() {
	local terminal=-
	[[ ! -t 0 ]] || terminal=-,raw,echo=0,escape=0x1d
	say "Booting ($(boot_time "$H_SECONDS")). Leave with exit; Ctrl-] switches the host off."
	rm -f "$B_DIR/terminal"
	(
		until [[ -e $B_DIR/terminal ]]; do sleep 0.1; done
		exec "${B_COMMAND[@]}" </dev/null >"$B_DIR/emulator.log" 2>&1
	) &
	B_PID=$!
	CHILDREN+=("$B_PID")
	socat "$terminal" "pty,link=$B_DIR/terminal,raw,echo=0,wait-slave" 2>/dev/null
	boot_stop "$B_PID"
}
