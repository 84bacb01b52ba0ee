# SPDX-License-Identifier: GPL-2.0
# bash completion for fleet

# KEY=VALUE of a description; values where there are few.
_fleet_setting() {
	local keys="name vms mem kernel initrd append vmm backend device workload
		workload_mib write_rate seed stagger duration interval patience
		scan merge pages_to_scan sleep_millisecs frames pss"
	local values

	case $cur in
	scan=*) values="default flat-out" ;;
	merge=*) values="at-start when-ready" ;;
	frames=*) values="end each never" ;;
	pss=*) values="each end" ;;
	*=*) return ;;
	*)
		compopt -o nospace
		mapfile -t COMPREPLY < <(compgen -S = -W "$keys" -- "$cur")
		return
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -P "${cur%%=*}=" -W "$values" \
		-- "${cur#*=}")
}

_fleet() {
	local cur prev words cword i command=
	local options="--vms --mem --workload --device --kernel --initrd
		--stagger --duration --set --output --no-plots --json --help"
	_init_completion -n = || return

	for ((i = 1; i < cword; i++)); do
		if [[ ${words[i]} != -* ]]; then
			command=${words[i]}
			break
		fi
	done

	case $prev in
	--workload)
		mapfile -t COMPREPLY < <(compgen -W "idle unique common writer
			zero mix" -- "$cur")
		return
		;;
	--backend)
		mapfile -t COMPREPLY < <(compgen -W "ksmdev ksm none" -- "$cur")
		return
		;;
	--backends | -b)
		compopt -o nospace
		mapfile -t COMPREPLY < <(compgen -P "${cur%"${cur##*,}"}" \
			-W "ksmdev ksm none" -- "${cur##*,}")
		return
		;;
	--device)
		mapfile -t COMPREPLY < <(compgen -W "kvmlite kvm tcg" -- "$cur")
		return
		;;
	--set | -s)
		_fleet_setting
		return
		;;
	--kernel | --initrd)
		_filedir
		return
		;;
	--output | -o)
		_filedir -d
		return
		;;
	--vms | --mem | --stagger | --duration)
		return
		;;
	esac

	case $command in
	'')
		mapfile -t COMPREPLY < <(compgen -W "run compare plot workloads
			--json --help --version" -- "$cur")
		;;
	run | compare)
		if [[ $cur == -* ]]; then
			[[ $command == run ]] && options+=" --backend" ||
				options+=" --backends"
			mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		else
			_filedir
		fi
		;;
	plot)
		_filedir -d
		;;
	esac
} &&
	complete -F _fleet fleet
