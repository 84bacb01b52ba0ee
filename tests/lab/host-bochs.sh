# shellcheck shell=bash
# The vtx host: Bochs as an Intel machine with VT-x, EPT, VPID, unrestricted
# guest. Debian's Bochs has neither a display-less mode (rfb with no wait is as
# good) nor a build without the debugger (its first command is "c": continue).

BOCHS_MODEL=corei7_haswell_4770

host_vtx_prepare() {
	# Bochs loses the last characters of the serial lines at power-off.
	B_LINGER=1
	[[ -z $B_ICOUNT ]] || die "--icount is for the svm host (vtx counts instructions anyway)"
	[[ -z $B_ONE_THREAD ]] || die "--one-thread is for the svm host (vtx has but one)"
	[[ -z $B_NUMA ]] || die "--numa is for the svm host"
	image_run "$B_DIR/initrd" "$@" && host_vtx_disc &&
		host_vtx_bochsrc >"$B_DIR/bochsrc" || return
	echo c >"$B_DIR/bochs.cmd"
	B_COMMAND=(bochs-bin -q -f "$B_DIR/bochsrc" -rc "$B_DIR/bochs.cmd")
}

host_vtx_disc() {
	local disc
	disc=$(mktemp -d)
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
host_vtx_bochsrc() {
	local sync=none
	[[ -z $B_INTERACTIVE ]] || sync=slowdown
	cat <<-END
		display_library: rfb, options="timeout=0"
		cpu: model=$BOCHS_MODEL, count=$B_CPUS, ips=${B_MIPS:-50}000000, reset_on_triple_fault=0, ignore_bad_msrs=1
		memory: guest=$B_MEM, host=$B_MEM
		romimage: file=/usr/share/bochs/BIOS-bochs-latest
		vgaromimage: file=/usr/share/vgabios/vgabios.bin
		ata0-master: type=cdrom, path="$B_DIR/boot.iso", status=inserted
		boot: cdrom
		clock: sync=$sync
		com1: enabled=1, mode=file, dev="$B_DIR/console.log"
		com2: enabled=1, $(host_vtx_com2)
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

host_vtx_com2() {
	if [[ $B_INTERACTIVE ]]; then
		echo "mode=term, dev=\"$B_DIR/terminal\""
	else
		echo "mode=file, dev=\"$B_DIR/output.log\""
	fi
}

# socat makes the terminal that Bochs opens as its serial line, and ends when
# Bochs closes it.
host_vtx_shell() {
	local terminal=-
	[[ ! -t 0 ]] || terminal=-,raw,echo=0,escape=0x1d
	say "Booting ($(boot_time 40)). Leave with exit; Ctrl-] switches the host off."
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
