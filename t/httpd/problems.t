# All that is wrong with all virtual hosts is told in one start, before httpd goes to the background, with file, line,
# directive, path, reason and advice; httpd -t finds the same; what is merely doubtful is warned of, once per start.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slurp spew);
use SL::Httpd;

my $certs = SL::Certs->new;
my %good  = map { $_ => $certs->server("$_.test", type => 'ecdsa', issuer => 'intermediate') } qw(good other);
my $pair  = "SSLCertificateFile \"$good{good}{full}\"\n    SSLCertificateKeyFile \"$good{good}{key}\"";

sub vhost {
    my ($name, $lines, $address) = @_;
    return "<VirtualHost @{[$address || '*:${port_https}']}>\n    ServerName $name\n    $lines\n</VirtualHost>\n";
}

# The text with HERE(name) taken out, and the line that stood behind it, by name.
sub marked {
    my ($httpd) = @_;
    my $n = 0;
    my %line;
    for (split /\n/, slurp($httpd->root . '/conf/httpd.conf')) { $n++; $line{$1} = $n + 1 if /^\s*# HERE (\S+)/ }
    return \%line;
}

# Messages of the module, without time and process: id, file, line, directive, text.
sub messages {
    my ($text, $root) = @_;
    my @found;
    for (split /\n/, $text) {
        my ($level) = /\[ssl:(\w+)\]/;
        my ($id, $file, $line, $directive, $said) = /\b((?:AH|SL)\d+): (?:(\S+?):(\d+): (\w+): )?(.*)/ or next;
        my %m = (id => $id, file => $file // '', line => $line // 0, directive => $directive // '', text => $said, level => $level || 'emerg');
        next if $m{id} =~ /^AH0(?:0|1883|1887|1876)/ || $m{level} =~ /info|debug|notice/;
        push @found, \%m;
    }
    return @found;
}

sub as_text { return map {"$_->{id} $_->{line} $_->{directive} $_->{text}"} @_ }

# ---- errors ----

my $httpd = SL::Httpd->new(daemon => 1);
$httpd->file('docs/empty.pem', '');
$httpd->file('docs/page.pem', "<!DOCTYPE html>\n<html><body>Your certificate is ready</body></html>\n");
$httpd->file('docs/damaged.pem', slurp($good{good}{cert}) =~ s/^(.{64}\n.{30})./$1*/mr);
$httpd->file('docs/request.pem', slurp($good{good}{cert} =~ s/crt$/csr/r));

# [host, lines, id, directive, what is said]; the line behind "# HERE" is to blame.
my @broken = (
    ['gone', "# HERE\n SSLCertificateFile gone.pem\n SSLCertificateKeyFile \"$good{good}{key}\"",
        'SL0002', 'SSLCertificateFile', qr{^\Q${\ $httpd->root }\E/gone\.pem: No such file or directory\. Check the path}],
    ['empty', "# HERE\n SSLCertificateFile \"\${docs}/empty.pem\"\n SSLCertificateKeyFile \"$good{good}{key}\"",
        'SL0002', 'SSLCertificateFile', qr{/docs/empty\.pem: is empty\. }],
    ['folder', "# HERE\n SSLCertificateFile \"\${docs}\"\n SSLCertificateKeyFile \"$good{good}{key}\"",
        'SL0002', 'SSLCertificateFile', qr{/docs: is no regular file\. }],
    ['keyless', "SSLCertificateFile \"$good{good}{full}\"\n # HERE\n SSLCertificateKeyFile \"\${root}/gone.key\"",
        'SL0002', 'SSLCertificateKeyFile', qr{/gone\.key: No such file or directory\. }],
    ['mismatch', "# HERE\n SSLCertificateFile \"$good{good}{full}\"\n SSLCertificateKeyFile \"$good{other}{key}\"",
        'AH02572', 'SSLCertificateFile',
        qr{^\Q$good{good}{full}\E: .*does not belong to the private key in \Q$good{other}{key}\E.*Name the key that}],
    ['nokey', "# HERE\n SSLCertificateFile \"$good{good}{full}\"",
        'AH02572', 'SSLCertificateFile', qr{^\Q$good{good}{full}\E: .*holds no private key, but .*certificates?\. Name the key's file}],
    ['html', "# HERE\n SSLCertificateFile \"\${docs}/page.pem\"\n SSLCertificateKeyFile \"$good{good}{key}\"",
        'AH02572', 'SSLCertificateFile', qr{/docs/page\.pem: .*HTML}],
    ['request', "# HERE\n SSLCertificateFile \"\${docs}/request.pem\"\n SSLCertificateKeyFile \"$good{good}{key}\"",
        'AH02572', 'SSLCertificateFile', qr{/docs/request\.pem: .*certificate request}],
    ['damaged', "# HERE\n SSLCertificateFile \"\${docs}/damaged.pem\"\n SSLCertificateKeyFile \"$good{good}{key}\"",
        'AH02572', 'SSLCertificateFile', qr{/docs/damaged\.pem: .*line \d+}],
    ['swapped', "# HERE\n SSLCertificateFile \"$good{good}{key}\"\n SSLCertificateKeyFile \"$good{good}{full}\"",
        'AH02572', 'SSLCertificateFile', qr{holds no certificate, but a private key\. Name the file with the certificate}],
    ['chain', "$pair\n # HERE\n SSLCertificateChainFile \"\${docs}/page.pem\"",
        'AH01903', 'SSLCertificateChainFile', qr{/docs/page\.pem: .*as chain of \Q$good{good}{full}\E}],
    ['bare', '# HERE', 'AH02572', 'SSLEngine', qr{^bare\.test:\d+: TLS is on for this host, but it has no certificate\. Add }],
    ['word', "$pair\n # HERE\n SSLVerifyClient sometimes",
        'SL0002', 'SSLVerifyClient', qr{^does not know 'sometimes'; it takes none, optional, require}],
    ['number', "$pair\n # HERE\n SecureLayerHandshakeTimeout soon",
        'SL0002', 'SecureLayerHandshakeTimeout', qr{^must be a whole number, not 'soon'}],
    ['protocol', "$pair\n # HERE\n SSLProtocol TLSv1.5", 'SL0002', 'SSLProtocol', qr{^does not know the protocol 'TLSv1\.5': use }],
    ['none', "$pair\n # HERE\n SSLProtocol -all",
        'AH02231', 'SSLProtocol', qr{^none\.test:\d+: no protocol version is left\. Name at least one}],
    ['suites', "$pair\n # HERE\n SSLCipherSuite NONSENSE",
        'AH01898', 'SSLCipherSuite', qr{no usable cipher suite in 'NONSENSE'.*openssl ciphers -v}],
    ['suites13', "$pair\n # HERE\n SSLCipherSuite TLSv1.3 NONSENSE",
        'AH10127', 'SSLCipherSuite', qr{not usable as TLS 1\.3 cipher suites: 'NONSENSE'}],
    ['unknown', "$pair\n # HERE\n SSLOpenSSLConfCmd Grups X25519", 'SL0002', 'SSLOpenSSLConfCmd', qr{^'Grups' is no command}],
    ['refused', "$pair\n # HERE\n SSLOpenSSLConfCmd Groups nonsense", 'AH02407', 'SSLOpenSSLConfCmd', qr{'Groups nonsense' was refused by OpenSSL}],
    ['ca', "$pair\n # HERE\n SSLCACertificateFile \"\${docs}/page.pem\"", 'AH01895', 'SSLCACertificateFile', qr{/docs/page\.pem: }],
    ['crl', "$pair\n # HERE\n SSLCARevocationCheck leaf",
        'AH01899', 'SSLCARevocationCheck', qr{there is no CRL to check with\. Name the CRLs with SSLCARevocationFile}],
);

my $text = "# HERE main\nSSLVHostSNIPolicy lenient\nListen 127.0.0.1:\${port_https}\nListen 127.0.0.1:\${port_auto} https\n" . vhost('good.test', "SSLEngine on\n    $pair");
for my $b (@broken) {
    my $lines = $b->[1] =~ s/# HERE/# HERE $b->[0]/r;
    $lines = $lines eq "# HERE $b->[0]" ? "$lines\n    SSLEngine on" : "SSLEngine on\n    $lines";
    $text .= vhost("$b->[0].test", $lines);
}
# Not spoken of by SSLEngine: Listen switches it on. And a host without TLS may not name what is not there either.
$text .= vhost('auto.test', "# HERE auto\n    SSLCertificateFile \"$good{good}{full}\"\n    SSLCertificateKeyFile \"$good{other}{key}\"",
    '127.0.0.1:${port_auto}');
$text .= vhost('off.test', "# HERE off\n    SSLCertificateFile gone.pem");
push @broken, ['auto', '', 'AH02572', 'SSLCertificateFile', qr{does not belong to the private key}],
    ['off', '', 'SL0002', 'SSLCertificateFile', qr{gone\.pem: No such file}],
    ['main', '', 'SL0002', 'SSLVHostSNIPolicy', qr{^does not know 'lenient'; it takes strict, secure}];
$httpd->config($text);

my $tested = $httpd->configtest;
isnt($tested->{status}, 0, 'httpd -t refuses the configuration');
my $line = marked($httpd);
my @told = messages($tested->{err});
my @errors = grep { $_->{level} eq 'emerg' } @told;
for my $b (@broken) {
    my ($name, undef, $id, $directive, $said) = @$b;
    my @here = grep { $_->{line} == $line->{$name} } @errors;
    is(scalar @here, 1, "$name: told once, at its line") or diag join "\n", as_text(@here);
    next unless @here;
    is("$here[0]{id} $here[0]{directive}", "$id $directive", '... as what it is');
    like($here[0]{text}, $said, '... with the reason and what to do');
    is($here[0]{file}, $httpd->root . '/conf/httpd.conf', '... and the file');
}
is(scalar @errors, scalar @broken, 'nothing else is an error, above all not what follows from one') or diag join "\n", as_text(@errors);
unlike($tested->{err}, qr/good\.test:/, 'the one good host is not spoken of');
my ($first_warning) = grep { $told[$_]{level} ne 'emerg' } 0 .. $#told;
is(scalar(grep { $_->{level} eq 'emerg' } @told[0 .. ($first_warning // @told) - 1]), scalar @errors, 'errors are told before warnings');

ok(!$httpd->start, 'httpd does not start');
is($httpd->start_status, 1, '... and its exit status says so before it goes to the background');
my $expected = join "\n", as_text(@errors);
is(join("\n", as_text(messages(slurp($httpd->root . '/logs/stderr')))), $expected, 'the terminal is told what httpd -t tells');
is(join("\n", as_text(grep { $_->{level} eq 'emerg' } messages($httpd->error_log))), $expected, '... and so is the log');
like($httpd->error_log, qr/^\[.* 20\d\d\] \[ssl:emerg\] \[pid .*\] AH02572: /m, '... with time and level');
is($httpd->configtest('-S')->{status}, 1, 'a wrong word stops httpd -S too, as with mod_ssl');

# ---- warnings ----

sub https { my ($name, $cert, $key, $more) = @_; return vhost($name, "SSLEngine on\n    # HERE @{[split /:/, $name]}\n    SSLCertificateFile \"$cert\"\n    SSLCertificateKeyFile \"$key\"\n" . ($more || '')) }

sub of { my ($name, %o) = @_; return $certs->server($name, type => 'ecdsa', issuer => 'intermediate', %o) }

my %w = (
    expired => of('expired.test', end => '-1d'), soon => of('soon.test', start => '-60d', end => '+5d'), early => of('early.test', start => '+1d'),
    lone => of('lone.test'), stray => of('stray.test'), weak => of('weak.test', type => 'rsa1024'), readable => of('readable.test'),
    sha1 => of('sha1.test'),
);
my $dir = $certs->dir;
my $doubtful = SL::Httpd->new;
my $stray = $doubtful->file('work/stray.pem', slurp($w{stray}{full}) . slurp($certs->ca('other-ca')));
my $open  = spew($doubtful->root . '/work/open.key', slurp($w{readable}{key}), 0644);
my $sha1  = $doubtful->root . '/work/sha1.pem';
$certs->openssl('x509', '-req', '-in', $w{sha1}{cert} =~ s/crt$/csr/r, '-CA', $certs->ca('intermediate'), '-CAkey', "$dir/intermediate.key",
    '-sha1', '-days', 90, '-set_serial', '0x5e1f', '-extfile', $w{sha1}{cert} =~ s/crt$/ext/r, '-out', $sha1);
spew($sha1, slurp($sha1) . slurp($certs->ca('intermediate')));
my $ca = $certs->ca('ca');
my $crl = $certs->crl('client-ca');

# [host, directive, id, what is said]
my @doubts = (
    ['expired', 'SSLCertificateFile', 'SL0003', qr{^\Q$w{expired}{full}\E: the certificate expired on .* 20\d\d GMT, 1 days? ago\. Renew it}],
    ['soon', 'SSLCertificateFile', 'SL0003', qr{the certificate expires on .* in [45] days\. Renew it}],
    ['early', 'SSLCertificateFile', 'SL0003', qr{the certificate is not valid before .*Check the clock}],
    ['lone', 'SSLCertificateFile', 'SL0003', qr{the chain is incomplete: the certificate of the issuer, CN=SL Test Intermediate.*Append it}],
    ['stray', 'SSLCertificateFile', 'SL0003', qr{the certificate of CN=A Stranger CA.* signs nothing in the chain.*Remove it}],
    ['weak', 'SSLCertificateFile', 'SL0003', qr{the RSA key has only 1024 bits\. Make a new key}],
    ['sha1', 'SSLCertificateFile', 'SL0003', qr{is signed with SHA1|is signed with RSA-SHA1|SHA-?1}],
    ['named', 'SSLCertificateFile', 'AH01909', qr{does not cover the host's name, named\.test\. Check ServerName}],
    ['authority', 'SSLCertificateFile', 'AH01906', qr{the certificate is a CA certificate.*Ask for a server certificate}],
    ['readable', 'SSLCertificateKeyFile', 'SL0003', qr{^\Q$open\E: the private key can be read by everybody.*chmod o-rwx \Q$open\E}],
    ['eighty', 'SSLEngine', 'AH01915', qr{^eighty\.test:80: TLS is on although this host is for port 80}],
    ['plain', '', 'AH01916', qr{^plain\.test:443: TLS is off although this host is for port 443.*Set SSLEngine on}],
    ['maybe', 'SSLEngine', 'AH10510', qr{'optional' is no longer supported and counts as off}],
    ['hole', 'SSLProtocol', 'SL0003', qr{versions older than a version that is left out are not offered}],
    ['asks', 'SSLVerifyClient', 'AH01897', qr{client certificates are required, but no CA to check them}],
    ['unchecked', 'SSLCARevocationFile', 'AH01902', qr{CRLs are given, but revocation is not checked\. Set SSLCARevocationCheck}],
);
my $shared = "SSLCertificateFile \"$w{lone}{full}\"\nSSLCertificateKeyFile \"$w{lone}{key}\"";
$doubtful->config("Listen 127.0.0.1:\${port_https}\n"
        . https('good.test', $good{good}{full}, $good{good}{key})
        . vhost('alias.test', "ServerAlias expired.test\n SSLEngine on\n SSLCertificateFile \"$w{expired}{full}\"\n SSLCertificateKeyFile \"$w{expired}{key}\"")
        . join('', map { https("$_.test", $w{$_}{full}, $w{$_}{key}) } qw(expired soon early weak))
        . https('lone.test', $w{lone}{cert}, $w{lone}{key})
        . https('stray.test', $stray, $w{stray}{key})
        . https('sha1.test', $sha1, $w{sha1}{key})
        . https('named.test', $good{other}{full}, $good{other}{key}, "ServerAlias other.test\n")
        . https('authority.test', $ca, $ca =~ s/crt$/key/r)
        . https('readable.test', $w{readable}{full}, $open)
        . vhost('eighty.test:80', "# HERE eighty.test\nSSLEngine on\n$pair")
        . vhost('plain.test:443', '')
        . vhost('maybe.test', "# HERE maybe.test\nSSLEngine optional\n$pair")
        . vhost('hole.test', "SSLEngine on\n# HERE hole.test\nSSLProtocol TLSv1.1 +TLSv1.3\n$pair")
        . vhost('asks.test', "SSLEngine on\n# HERE asks.test\nSSLVerifyClient require\n$pair")
        . vhost('unchecked.test', "SSLEngine on\n$pair\nSSLCACertificateFile \"@{[$certs->ca('client-ca')]}\"\n# HERE unchecked.test\nSSLCARevocationFile \"$crl\"\n"));
$tested = $doubtful->configtest;
is($tested->{status}, 0, 'warnings stop nobody') or diag $tested->{err};
$line = marked($doubtful);

# What is to be told of each host, of all, and how often.
sub check_warnings {
    my ($when, $text) = @_;
    my @told = messages($text);
    is(join(' ', grep { $_->{level} ne 'warn' } @told), '', "$when: only warnings");
    for my $d (@doubts) {
        my ($name, $directive, $id, $said) = @$d;
        my $at = $name eq 'readable' ? $line->{'readable.test'} + 1 : $line->{"$name.test"} || 0;
        my @here = grep { $_->{id} eq $id && $_->{line} == $at && $_->{directive} eq $directive && $_->{text} =~ $said } @told;
        is(scalar @here, 1, "$when: $name is warned of once") or diag join "\n", as_text(grep { $_->{line} == $at } @told);
    }
    is(scalar(grep { $_->{text} =~ /\Q$w{expired}{full}\E: the certificate expired/ } @told), 1,
        "$when: a certificate that two hosts have expired once");
    unlike($text, qr/(?:SL0003|AH01909): \S+:$line->{'good.test'}:/, "$when: nothing about the good host");
    return;
}
check_warnings('httpd -t', $tested->{err});
$doubtful->start_ok;
check_warnings('start', $doubtful->error_log);
unless ($doubtful->{single}) {
    ok($doubtful->restart, 'a graceful restart');
    check_warnings('restart', $doubtful->new_log);
}
is(SL::Client->new(port => $doubtful->port('https'))->curl('https://good.test/')->{code}, 200, 'the good host serves');
$doubtful->stop;

# mod_ssl's own ids for what it warns of too.
unless ($ENV{SL_SAN}) {
    my %seen;
    my $plain = vhost('a.test', "SSLEngine on\n$pair") . vhost('b.test:80', "SSLEngine on\n$pair") . vhost('c.test:443', '')
        . vhost('d.test', "SSLEngine on\nSSLVerifyClient require\n$pair")
        . vhost('e.test', "SSLEngine on\nSSLCertificateFile \"$ca\"\nSSLCertificateKeyFile \"@{[$ca =~ s/crt$/key/r]}\"")
        . vhost('f.test', "SSLEngine on\nServerAlias good.test\n$pair") . vhost('good.test', "SSLEngine on\nServerAlias g.test\n$pair")
        . vhost('h.test', "SSLEngine on\nSSLCACertificateFile \"$ca\"\nSSLCARevocationFile \"$crl\"\n$pair");
    for my $tls (qw(mod_ssl securelayer)) {
        my $h = SL::Httpd->new(tls => $tls, name => "httpd with $tls");
        $h->config("Listen 127.0.0.1:\${port_https}\n$plain");
        $h->start_ok or next;
        my %ids;
        $ids{ $_->{id} }++ for grep { $_->{level} eq 'warn' && $_->{id} =~ /^AH/ } messages($h->error_log);
        delete @ids{qw(AH01873 AH01882)};    # no session cache: there is none to be had; the age of the system's OpenSSL
        $seen{$tls} = \%ids;
        $h->stop;
    }
    # mod_ssl warns in both passes of a start.
    is_deeply($seen{securelayer}, { map { $_ => $seen{mod_ssl}{$_} / 2 } keys %{ $seen{mod_ssl} } }, 'the same hosts are warned of with the same ids as by mod_ssl')
        or diag explain \%seen;
}
done_testing;
